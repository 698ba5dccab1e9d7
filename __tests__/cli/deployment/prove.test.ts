/** `bluegreen prove` as a pipeline starts it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const COMMAND = resolve("lib/cli/main.js");
const change = (step: string, ...actions: string[]) => ({
  address: `terraform_data.${step}`,
  change: { actions },
});
const GOOD = [change("install-blue-web-1", "no-op"), change("install-green-web-1", "delete", "create")];

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-prove-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function prove(input: unknown, ...args: string[]) {
  const file = join(folder, "plan.json");
  writeFileSync(file, typeof input === "string" ? input : JSON.stringify({ resource_changes: input }));
  const options = { cwd: folder, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, "prove", file, ...args], options);
  return { exitCode: status, stdout, stderr };
}

test("one line of proof", () => {
  const words =
    "blue is not touched: its 1 install steps are no-ops, and all 1 changes are steps of a release\n";
  expect(prove(GOOD, "--live", "blue")).toEqual({ exitCode: 0, stdout: words, stderr: "" });
});

test("JSON for a machine", () => {
  const { exitCode, stdout } = prove(GOOD, "--live", "blue", "--json");
  expect({ exitCode, proof: JSON.parse(stdout) as unknown }).toMatchObject({
    exitCode: 0,
    proof: { live: "blue", untouched: 1, changes: ["terraform_data.install-green-web-1"], exitCode: 0 },
  });
});

test("stdin", () => {
  const input = JSON.stringify({ resource_changes: GOOD });
  const { status } = spawnSync(process.execPath, [COMMAND, "prove", "-", "--live", "blue"], { input });
  expect(status).toBe(0);
});

test.each<[string, unknown, string[], number, RegExp]>([
  ["the other slot is live", GOOD, ["--live", "green"], 3, /would touch the live slot/],
  [
    "a change of base",
    [...GOOD, change("web-1", "update")],
    ["--live", "blue"],
    3,
    /is no step of a release/,
  ],
  ["no plan", "{", ["--live", "blue"], 2, /is not JSON/],
  ["no such slot", GOOD, ["--live", "red"], 2, /--live blue or --live green/],
  ["nobody to ask", GOOD, [], 2, /there is no environment file/],
])("%s: one line, and the exit code that says so", (_, plan, args, exitCode, words) => {
  const ended = prove(plan, ...args);
  expect(ended).toMatchObject({ exitCode, stdout: "", stderr: expect.stringMatching(words) });
  expect(ended.stderr.trim().split("\n")).toHaveLength(1);
});

test("a file that is not there", () => {
  const { status, stderr } = spawnSync(process.execPath, [
    COMMAND,
    "prove",
    "missing.json",
    "--live",
    "blue",
  ]);
  expect({ status, said: String(stderr) }).toMatchObject({
    status: 2,
    said: expect.stringContaining("ENOENT"),
  });
});
