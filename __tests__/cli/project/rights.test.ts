/** A user without rights on an environment's files gets that as the answer, not that nothing was released. */
import { spawn } from "node:child_process";
import { chmodSync } from "node:fs";
import { follow } from "../../../development/testbed/processes";
import type { Ran } from "../../../development/testbed/processes";
import { emptyRecord, formatRecord } from "../../../release/record";
import { LEAST } from "../../release/examples";
import { COMMAND, Folder, STACKS } from "../setup/command";

/** root may read everything: as another user then. */
const OTHER_USER = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
  chmodSync(folder.path, 0o755);
  folder.write("cdktf.json", { app: `node ${STACKS}` });
  folder.write("environments/local.json", { ...LEAST, platform: { kind: "local", portBase: 15_080 } });
  folder.write("release.json", formatRecord(emptyRecord("socialgoal")));
  folder.write(".bluegreen/local/servers/proxy-1/director.js", "");
  folder.write(".bluegreen/local/receipts/1.json", "{}");
});
afterEach(() => {
  for (const path of closed) chmodSync(folder.in(path), 0o700);
  closed = [];
  folder.remove();
});

let closed: string[] = [];
function close(path: string): void {
  closed.push(path);
  chmodSync(folder.in(path), 0o000);
}

function bluegreen(...args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    ...OTHER_USER,
    cwd: folder.path,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return follow(child).ended;
}

test.each([
  ["the proxies' folder", ".bluegreen/local/servers", ["status"]],
  ["a proxy's folder", ".bluegreen/local/servers/proxy-1", ["status"]],
  ["the record", "release.json", ["status"]],
  ["the environment file", "environments/local.json", ["status"]],
  ["the receipts", ".bluegreen/local/receipts", ["history"]],
])("no right to read %s: exit code 1 and what to do", async (_, path, args) => {
  close(path);
  const { exitCode, stderr } = await bluegreen(...args);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: expect.stringMatching(
      /^\S*\/\S+ can't be read by \S+ \(EACCES\): run the command as the user who deploys, or get the right to read it\n$/,
    ),
  });
});

test("without a proxy's folder, nothing was released", async () => {
  folder.remove();
  folder = new Folder();
  chmodSync(folder.path, 0o755);
  folder.write("cdktf.json", { app: `node ${STACKS}` });
  folder.write("environments/local.json", { ...LEAST, platform: { kind: "local", portBase: 15_080 } });
  const { exitCode, stderr } = await bluegreen("status");
  expect({ exitCode, stderr }).toEqual({
    exitCode: 3,
    stderr: expect.stringMatching(/^proxy-1 does not exist: nothing was released yet/),
  });
});
