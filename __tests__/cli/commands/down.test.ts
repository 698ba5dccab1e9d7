/** `bluegreen down` on a terminal: nothing is stopped unless the operator says so. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { follow } from "../../../development/testbed/processes";
import { LEAST } from "../../release/examples";

const COMMAND = resolve("lib/cli/main.js");
const ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-down-"));
  mkdirSync(join(folder, "environments"));
  writeFileSync(join(folder, "environments/local.json"), JSON.stringify(LEAST));
});
afterEach(() => rmSync(folder, { recursive: true }));

test.each([
  ["no", "n\r", /not confirmed: nothing was changed/],
  ["nothing but Enter", "\r", /not confirmed: nothing was changed/],
  ["Ctrl-C", "\u0003", /cancelled: nothing was changed/],
])("after %s nothing is changed", async (_, keys, words) => {
  const env = { ...process.env, BLUEGREEN_ENVIRONMENT: undefined, TERM: "xterm", NO_COLOR: "1" };
  const child = spawn("python3", ["-c", ON_A_TERMINAL, process.execPath, COMMAND, "down"], {
    ...{ cwd: folder, env, stdio: ["pipe", "pipe", "pipe"] },
  });
  child.stdout.on("data", (data: Buffer) => {
    if (data.toString().includes("Stop local? Its users get nothing until the next release."))
      child.stdin.write(keys);
  });
  const { exitCode, stdout } = await follow(child).ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: expect.stringMatching(words) });
  expect(readdirSync(folder)).toEqual(["environments"]);
});
