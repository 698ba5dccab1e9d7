/** `down` ends what the server started, and nothing else that works in its folder. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processesIn, until } from "../../../development/testbed/processes";
import { HABITS, startFile } from "../habits";

const STOP = resolve("lib/on-server/local/stop-server.sh");
const RELATIVE = ".bluegreen/local/servers/web-1";

let project: string;
let folder: string;
const started: ChildProcess[] = [];
beforeEach(() => {
  project = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-stop-"));
  folder = join(project, RELATIVE);
  mkdirSync(join(folder, "releases/1.0.0-1"), { recursive: true });
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  for (const { pid } of processesIn(project)) process.kill(pid, "SIGKILL");
  rmSync(project, { recursive: true });
});

function start(cwd: string, environment: NodeJS.ProcessEnv, command = ["sleep", "1000"]): ChildProcess {
  const [program, ...args] = command;
  const env = { PATH: process.env["PATH"], ...environment };
  const child = spawn(program!, args, { cwd, env, stdio: "ignore", detached: true });
  started.push(child);
  return child;
}

const lives = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

function stop(more: NodeJS.ProcessEnv = {}) {
  const env = { PATH: process.env["PATH"], PROJECT_FOLDER: project, SERVER_FOLDER: RELATIVE, ...more };
  const { status, stderr } = spawnSync("bash", [STOP], { env, encoding: "utf8" });
  return { status, stderr };
}

test("a program of somebody else in the folder goes on", async () => {
  const unrelated = start(join(folder, "releases/1.0.0-1"), {});
  const ofAnother = start(tmpdir(), { BLUEGREEN_SERVER_FOLDER: `${folder}-2` });
  const ofAnotherProject = start(tmpdir(), { SERVER_FOLDER: RELATIVE });
  expect(stop()).toEqual({ status: 0, stderr: "" });
  // Before this test waits, it does not know of any end.
  await sleep(200);
  expect([unrelated, ofAnother, ofAnotherProject].map(lives)).toEqual([true, true, true]);
  expect(existsSync(folder)).toBe(false);
});

test.each([
  ["", {}],
  [", whatever is exported", HABITS],
])("an instance, a step and a proxy end%s", async (_, habits) => {
  const instance = start(tmpdir(), { BLUEGREEN_SERVER_FOLDER: folder });
  const step = start(folder, { SERVER_FOLDER: folder });
  const proxy = start(folder, { SERVER_FOLDER: RELATIVE });
  const bashEnv = Object.keys(habits).length === 0 ? {} : { BASH_ENV: startFile(project) };
  expect(stop({ ...habits, ...bashEnv })).toEqual({ status: 0, stderr: "" });
  await until(() => ![instance, step, proxy].some(lives), "all three have ended");
});

test("a worker without the environment ends with the instance that started it", async () => {
  const command = ["sh", "-c", "env -i sleep 1000 & wait"];
  const instance = start(join(folder, "releases/1.0.0-1"), { BLUEGREEN_SERVER_FOLDER: folder }, command);
  await until(() => processesIn(folder).length === 2, "both run");
  expect(stop({ KEEP_FOLDER: "yes" })).toEqual({ status: 0, stderr: "" });
  await until(() => !lives(instance) && processesIn(folder).length === 0, "both have ended");
  expect(existsSync(folder)).toBe(true);
});

test("one that ignores SIGTERM is killed", async () => {
  const deaf = start(folder, { BLUEGREEN_SERVER_FOLDER: folder }, [
    "sh",
    "-c",
    "trap '' TERM; sleep 1000 & wait",
  ]);
  await until(() => processesIn(folder).length === 2, "it runs");
  expect(stop()).toEqual({ status: 0, stderr: "" });
  await until(() => !lives(deaf), "it has ended");
});
