/** The script that a Terraform step runs: it starts the migrator that the stack names by its digest, and no other. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const SCRIPT = resolve("lib/on-server/migrate/run-migrate.sh");
let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-run-migrate-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** A migrator that tells what it was asked, and ends with 4. */
const PROGRAM = "console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 4;";
const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

function environment(text: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const program = join(folder, "published.js");
  if (!existsSync(program)) writeFileSync(program, text);
  return {
    ...process.env,
    SERVER_FOLDER: folder,
    MIGRATE_SPEC: "c3BlYw==",
    MIGRATOR_URL: program,
    MIGRATOR_SHA256: digest(text),
    ...more,
  };
}

function run(more: NodeJS.ProcessEnv = {}) {
  return spawnSync("bash", [SCRIPT], { env: environment(PROGRAM, more), encoding: "utf8" });
}

/** @param kill gets the process ids of the script and of its migrator, once that is at work. */
async function ended(text: string, kill: (script: number, migrator: number) => void) {
  const child = spawn("bash", [SCRIPT], { env: environment(text), stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk);
    const [, pid] = /^at work (\d+)\n$/.exec(stdout) ?? [];
    if (pid !== undefined) kill(child.pid!, Number(pid));
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout: stdout.replace(/^at work \d+\n/, ""), stderr };
}

it("runs the migrator with the step's spec, and ends as it ends", () => {
  const { status, stdout } = run();
  expect({ status, said: JSON.parse(stdout) as unknown }).toEqual({
    status: 4,
    said: ["run", "--spec", "c3BlYw==", "--folder", folder],
  });
});

it("fetches it once for each digest", () => {
  run();
  rmSync(join(folder, "published.js"));
  writeFileSync(join(folder, "published.js"), "not the migrator");
  expect(run().status).toBe(4);
});

it("refuses one with another digest, and keeps the one that is there", () => {
  run();
  const { status, stderr } = run({ MIGRATOR_SHA256: "0".repeat(64) });
  expect(status).toBe(3);
  expect(stderr).toMatch(/does not have the digest 0000/);
  expect(readFileSync(join(folder, "migrate.js"), "utf8")).toBe(PROGRAM);
  expect(existsSync(join(folder, "migrate.js.new"))).toBe(false);
});

it("says where it has to be published", () => {
  const { status, stderr } = run({ MIGRATOR_URL: join(folder, "nowhere.js") });
  expect(status).toBe(3);
  expect(stderr.trim().split("\n").at(-1)).toMatch(
    /can't be fetched from .*nowhere\.js: publish it there first/,
  );
});

const AT_WORK = 'console.log("at work", process.pid); setInterval(() => undefined, 1000);';

it("waits for a migrator that puts things right after SIGTERM, and ends as it ends", async () => {
  const slow = `process.on("SIGTERM", () => setTimeout(() => (console.log("undone"), process.exit(5)), 300)); ${AT_WORK}`;
  expect(await ended(slow, (script) => process.kill(script, "SIGTERM"))).toEqual({
    ...{ code: 5, stdout: "undone\n", stderr: "" },
  });
});

it("fails where the migrator is killed, with the way on", async () => {
  expect(await ended(AT_WORK, (_, migrator) => process.kill(migrator, "SIGKILL"))).toMatchObject({
    ...{ code: 137, stdout: "" },
    stderr: expect.stringMatching(
      /migrate: the migrator was ended by signal 9; what was not committed is rolled back: `bluegreen retry` continues\n$/,
    ),
  });
});
