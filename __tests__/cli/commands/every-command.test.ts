/** What every command promises, as a process without a terminal: help, one line for what it can't do, and nothing changed. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { follow } from "../../../development/testbed/processes";
import type { Ran } from "../../../development/testbed/processes";

const COMMAND = resolve("lib/cli/main.js");
const ARTIFACT = ["1.0.0", "--artifact", "no-such.zip"];

/** Enough for each command to begin with; and whether it asks for an environment. */
const COMMANDS: Readonly<Record<string, { args: string[]; environment: boolean; json: boolean }>> = {
  init: { args: ["--platform", "moon", "--yes"], environment: false, json: true },
  doctor: { args: [], environment: false, json: true },
  recover: { args: ["--yes"], environment: true, json: true },
  completion: { args: ["tcsh"], environment: false, json: false },
  release: { args: ARTIFACT, environment: true, json: true },
  stage: { args: ARTIFACT, environment: true, json: true },
  promote: { args: [], environment: true, json: true },
  rollback: { args: [], environment: true, json: true },
  retry: { args: [], environment: true, json: true },
  heal: { args: ["web-1"], environment: true, json: true },
  drain: { args: ["web-1"], environment: true, json: true },
  abort: { args: [], environment: true, json: true },
  "plan base": { args: [], environment: true, json: true },
  "plan release": { args: ARTIFACT, environment: true, json: true },
  "plan stage": { args: ARTIFACT, environment: true, json: true },
  "plan promote": { args: [], environment: true, json: true },
  "plan rollback": { args: [], environment: true, json: true },
  "plan retry": { args: [], environment: true, json: true },
  "plan heal": { args: ["web-1"], environment: true, json: true },
  "plan resolve": { args: ["0001-x.sql", "--as", "pending"], environment: true, json: true },
  prove: { args: ["no-such.json"], environment: false, json: true },
  status: { args: [], environment: true, json: true },
  history: { args: [], environment: true, json: true },
  report: { args: [], environment: true, json: false },
  measure: { args: ["--", "true"], environment: true, json: true },
  publish: { args: ARTIFACT, environment: true, json: true },
  migrations: { args: ["."], environment: true, json: true },
  "migrations status": { args: [], environment: true, json: true },
  "migrations resolve": { args: ["0001-x.sql", "--as", "applied"], environment: true, json: true },
  "migrations from-ef": { args: ["--project", "no-such"], environment: false, json: true },
  ban: { args: ["1.0.0", "--reason", "x"], environment: true, json: true },
  preview: { args: ["--no-such"], environment: false, json: true },
  down: { args: [], environment: true, json: true },
  rehearse: { args: ["--driver", "iis"], environment: false, json: false },
};
const NAMES = Object.keys(COMMANDS);

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-command-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function run(...args: string[]): Promise<Ran> {
  const env = { ...process.env, NO_COLOR: "1", BLUEGREEN_ENVIRONMENT: undefined, MSSQL_URL: undefined };
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return follow(child).ended;
}

const commandsIn = (help: string): string[] =>
  [...help.matchAll(/^ {2}([a-z][a-z-]*)(?:\|[a-z]+)? /gm)]
    .map(([, name]) => name!)
    .filter((name) => name !== "help");
const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

test("this list has all commands that --help names", async () => {
  const below = ["plan", "migrations"];
  const [all, ...helps] = await Promise.all([run("--help"), ...below.map((name) => run(name, "--help"))]);
  const names = commandsIn(all.stdout.slice(all.stdout.indexOf("-h, --help")));
  expect(names.sort()).toEqual([...new Set(NAMES.map((name) => name.split(" ")[0]!))].sort());
  const named = helps.flatMap(({ stdout }, index) =>
    commandsIn(stdout.slice(stdout.indexOf("Commands:"))).map((name) => `${below[index]} ${name}`),
  );
  expect(named.sort()).toEqual(NAMES.filter((name) => name.includes(" ")).sort());
});

test("--help names each exit code", async () => {
  const { exitCode, stdout, stderr } = await run("--help");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  for (const code of [0, 1, 2, 3, 4, 5, 6]) expect(stdout).toMatch(new RegExp(`\\b${code} [a-z]`));
});

test.each(NAMES)("%s --help says what it does, with all its options, on stdout", async (name) => {
  const { exitCode, stdout, stderr } = await run(...name.split(" "), "--help");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toMatch(new RegExp(`^Usage: bluegreen ${name}\\b`));
  const options = stdout.split("\n").filter((line) => /^ {2}--/.test(line));
  expect(options.length > 0).toBe(name !== "completion");
  for (const option of options) expect(option).toMatch(/^ {2}--[a-z0-9-]+( <[^>]+>)? {2,}\S/);
  expect(stdout.includes("--json")).toBe(COMMANDS[name]!.json || name === "rehearse");
});

test.each(NAMES)("%s with an option that it does not know: one line, exit code 2", async (name) => {
  const { exitCode, stdout, stderr } = await run(...name.split(" "), "--no-such-option");
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  expect(lines(stderr)[0]).toMatch(
    /^error: (unknown option '--no-such-option'|required option|missing required)/,
  );
});

test.each(NAMES.filter((name) => COMMANDS[name]!.environment))(
  "%s where there is no project: one line that says what to do, exit code 2, and nothing is made",
  async (name) => {
    const { args, json } = COMMANDS[name]!;
    const [command, ...more] = [...name.split(" "), ...(json ? ["--json"] : []), ...args];
    const { exitCode, stdout, stderr } = await run(command!, ...more);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(lines(stderr)).toEqual([
      expect.stringMatching(/there is no environment file environments\/local\.json: .*(--environment|init)/),
    ]);
    expect(readdirSync(folder)).toEqual([]);
  },
);

test.each(["init", "completion", "prove", "rehearse", "migrations from-ef"])(
  "%s with something that means nothing: one line, exit code 2, and nothing is made",
  async (name) => {
    const { exitCode, stdout, stderr } = await run(...name.split(" "), ...COMMANDS[name]!.args);
    expect({ exitCode, stdout, lines: lines(stderr).length }).toEqual({ exitCode: 2, stdout: "", lines: 1 });
    expect(readdirSync(folder)).toEqual([]);
  },
);

test.each([
  [["status", "--environment", "x.json"]],
  [["--environment", "x.json", "status"]],
  [["--environment", "y.json", "status", "--environment", "x.json"]],
  [["resolve", "1-x.sql", "--as", "applied", "--environment", "x.json"]],
  [["resolve", "--environment", "x.json", "1-x.sql", "--as", "applied"]],
  [["--environment", "x.json", "resolve", "1-x.sql", "--as", "applied"]],
  [["./status", "--environment", "x.json"]],
  [["--environment", "x.json", "./status"]],
])("migrations %j is about the environment that it names, wherever that stands", async (words) => {
  const { exitCode, stderr } = await run("migrations", ...words);
  expect({ exitCode, said: lines(stderr) }).toEqual({
    exitCode: 2,
    said: [expect.stringMatching(/^there is no environment file x\.json/)],
  });
});

test.each([
  ["oracle", /--database oracle is not known: postgres or mssql/],
  ["mssql", /MSSQL_URL is not set: set it to an address/],
])(
  "rehearse with a database that is not to be had, %s: one line, and nothing is made",
  async (database, says) => {
    const { exitCode, stdout, stderr } = await run("rehearse", "--database", database);
    expect({ exitCode, stdout, said: lines(stderr) }).toEqual({
      exitCode: 2,
      stdout: "",
      said: [expect.stringMatching(says)],
    });
    expect(readdirSync(folder)).toEqual([]);
  },
);

test("what is cut off by `| head` ends quietly", async () => {
  const child = spawn("bash", [
    "-c",
    `"$0" "$1" --help | head -1; echo "\${PIPESTATUS[0]}"`,
    process.execPath,
    COMMAND,
  ]);
  const { stdout, stderr } = await follow(child).ended;
  expect({ stdout, stderr }).toEqual({ stdout: "Usage: bluegreen [options] [command]\n0\n", stderr: "" });
});
