/** What both slots share is not changed for one of them. */
import * as fs from "node:fs";
import { base64, eachTestHasAServer, type Parameters } from "./server";
import { freePort } from "../../../development/testbed/ports";

const server = eachTestHasAServer();

const command = (argument: string): string => base64(`node\nserver.js\n${argument}`);

function argumentsOf(slot: string): string[] {
  const [pid] = server().instances(slot);
  return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(1, -1);
}

test("one release in both slots, with a start command for each: each slot keeps its own", async () => {
  const release = server().application();
  const green: Parameters = { SLOT: "green", PORT: String(await freePort(server().host)) };
  const first: Parameters = { RELEASE_ID: "1.0.0-1" };
  const ofBlue: Parameters = { ...first, START_COMMAND_BASE64: command("for-blue") };
  const ofGreen: Parameters = { ...first, ...green, START_COMMAND_BASE64: command("for-green") };
  expect(await server().install(server().parameters(1, release, ofBlue))).toMatchObject({ code: 0 });
  expect(await server().install(server().parameters(2, release, ofGreen))).toMatchObject({ code: 0 });

  const again = await server().install(server().parameters(3, release, ofBlue));
  expect(again.result).toMatchObject({ outcome: "already-installed" });

  const bad = server().application({ status: 500 });
  const inPlace: Parameters = {
    MODE: "inPlace",
    DEADLINE_SECONDS: "2",
    START_COMMAND_BASE64: command("new"),
  };
  const failed = await server().install(server().parameters(4, bad, inPlace));
  expect(failed).toMatchObject({ code: 4, result: { outcome: "restored", releaseId: "1.0.0-1" } });
  expect(argumentsOf("blue")).toEqual(["server.js", "for-blue"]);
  expect(argumentsOf("green")).toEqual(["server.js", "for-green"]);
});
