import * as fs from "node:fs";
import * as path from "node:path";
import { eachTestHasAServer, type Artifact, type Parameters } from "./server";
import { killedAt } from "./killed-at";
import { until } from "../../../development/testbed/processes";
import { freePort } from "../../../development/testbed/ports";

const server = eachTestHasAServer();

/** Points spread over a whole run. */
async function pointsOf(parameters: Parameters, count: number): Promise<number[]> {
  await server().install({ ...parameters, ...killedAt(server().root, 0) });
  const commands = Number(fs.readFileSync(path.join(server().root, "count"), "utf8"));
  // Fewer, and it would be the end of the counting, not of the script.
  expect(commands).toBeGreaterThan(500);
  return Array.from(
    { length: count },
    (_, point) => Math.floor(((point + Math.random()) * commands) / count) + 1,
  );
}

/** Asks the live slot all the time; the answer to stop() is how often it was asked and what went wrong. */
function watch(port: number): { readonly stop: () => Promise<{ asked: number; wrong: string[] }> } {
  let watching = true;
  let asked = 0;
  const wrong: string[] = [];
  const done = (async () => {
    while (watching) {
      asked += 1;
      try {
        const response = await fetch(`http://${server().host}:${port}/`, {
          headers: { connection: "close" },
        });
        const release = response.headers.get("x-release-id") ?? "";
        await response.text();
        if (release !== "1.0.0-1") wrong.push(release);
      } catch (error) {
        wrong.push(String(error));
      }
      await new Promise(setImmediate);
    }
  })();
  return {
    stop: async () => {
      watching = false;
      await done;
      return { asked, wrong };
    },
  };
}

let live: number;
let good: Artifact;
let watcher: ReturnType<typeof watch> | undefined;
afterEach(async () => void (await watcher?.stop()));
beforeEach(async () => {
  live = await freePort(server().host);
  good = server().application();
  const green = server().parameters(1, good, { SLOT: "green", PORT: String(live) });
  expect(await server().install(green)).toMatchObject({ code: 0 });
});

test("kill -9 anywhere: the live slot answers throughout, and the next sequence installs", async () => {
  let sequence = 2;
  await server().install(server().parameters(sequence++, good));
  const points = await pointsOf(server().parameters(sequence++, good), 12);
  watcher = watch(live);
  for (const point of points) {
    const killed = await server().install({
      ...server().parameters(sequence++, good),
      ...killedAt(server().root, point),
    });
    expect({ point, code: killed.code }).toEqual({ point, code: killed.result === undefined ? null : 0 });
    const again = sequence++;
    const outcome = await server().install(server().parameters(again, good));
    expect({ point, ...outcome }).toMatchObject({
      point,
      code: 0,
      stderr: "",
      result: { outcome: "installed" },
    });
    expect((await server().get()).release).toBe(`1.0.0-${again}`);
    expect(server().instances("blue")).toHaveLength(1);
    expect(server().linked("green")).toBe("1.0.0-1");
  }
  const { asked, wrong } = await watcher.stop();
  expect(wrong).toEqual([]);
  expect(asked).toBeGreaterThan(100);
  expect(
    server()
      .list("releases")
      .filter((name) => name.startsWith(".")),
  ).toEqual([]);
});

test("kill -9 anywhere: the same record run again installs too", async () => {
  let sequence = 2;
  const points = await pointsOf(server().parameters(sequence++, good), 6);
  for (const point of points) {
    const parameters = server().parameters(sequence++, good);
    await server().install({ ...parameters, ...killedAt(server().root, point) });
    expect({ point, ...(await server().install(parameters)) }).toMatchObject({ point, code: 0, stderr: "" });
    expect((await server().get()).release).toBe(parameters["RELEASE_ID"]);
    expect(server().instances("blue")).toHaveLength(1);
  }
});

test("kill -9 during a release in place that fails: the next failure still brings the last healthy one back", async () => {
  let sequence = 2;
  await server().install(server().parameters(sequence++, good));
  const bad = server().application({ status: 500 });
  const inPlace = { MODE: "inPlace", DEADLINE_SECONDS: "2" };
  const points = await pointsOf(server().parameters(sequence++, bad, inPlace), 5);
  for (const point of points) {
    await server().install({
      ...server().parameters(sequence++, bad, inPlace),
      ...killedAt(server().root, point),
    });
    const outcome = await server().install(server().parameters(sequence++, bad, inPlace));
    expect({ point, ...outcome }).toMatchObject({
      point,
      code: 4,
      stderr: expect.stringContaining("is running again"),
      result: { outcome: "restored", releaseId: "1.0.0-2" },
    });
    expect((await server().get()).release).toBe("1.0.0-2");
    expect(server().instances("blue")).toHaveLength(1);
    expect(server().linked("green")).toBe("1.0.0-1");
  }
});

test("a download that outlives its killed installer holds no lock", async () => {
  let asked = false;
  const address = await server().serve((_request, response) => {
    asked = true;
    response.writeHead(200, { "content-length": 1000 }).write("PK");
  });
  const ARTIFACT_URL_BASE64 = Buffer.from(address).toString("base64");
  // A digest that no release here has: otherwise nothing is fetched.
  const fetched = { ARTIFACT_URL_BASE64, ARTIFACT_SHA256: "0".repeat(64), PREPARE_SECONDS: "20" };
  const run = server().start(server().parameters(2, good, fetched));
  await until(() => asked, "the download began");
  process.kill(run.pid, "SIGKILL");
  const outcome = await server().install(server().parameters(3, good));
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
});
