/** What somebody types, and plans of Terraform that somebody else wrote: one line, and never more than was proved. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as fc from "fast-check";
import { checkAddress, checkedArtifact, checkVersion } from "../../cli/artifact/checks";
import { parseGoal, scheduleFrom } from "../../cli/command-line/schedule-options";
import { proveLiveSlotUntouched } from "../../release/plan-proof";
import { readPlan } from "../../release/terraform-plan";
import { Schedule } from "../../release/schedule";
import { parseFile } from "../../release/validation";
import { environmentOf } from "../release/examples";
import { expectOneLine, hostileText, mutated, readOrRefused, runs } from "./hostile";

const COMMAND = resolve("lib/cli/main.js");
/** No program can be given a NUL. Whoever types something long may read it again. */
const given = hostileText.filter((text) => !text.includes("\0") && text.length < 500);

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-fuzz-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function run(...args: readonly string[]): { exitCode: number | null; lines: string[]; stdout: string } {
  const env = { ...process.env, NO_COLOR: "1", BLUEGREEN_ENVIRONMENT: undefined };
  const options = { cwd: folder, encoding: "utf8", env } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], options);
  return { exitCode: status, stdout, lines: stderr.split("\n").slice(0, -1) };
}

function expectRefused({ exitCode, lines, stdout }: ReturnType<typeof run>): void {
  expect({ lines: lines.length, stdout }).toEqual({ lines: 1, stdout: "" });
  expect([2, 3]).toContain(exitCode);
  expectOneLine(lines[0]!);
}

test("a version, an address, a goal and a schedule", () => {
  const project = {
    folder,
    environmentFile: "e.json",
    environment: environmentOf(),
    synth: ["true"] as const,
  };
  const word = fc.oneof(
    given,
    fc.constantFrom("1.0.0", "5,25,100", "10", "https://example.org/a.zip", "canary"),
  );
  const options = fc.record(
    {
      strategy: word,
      steps: word,
      stepSeconds: word,
      bakeSeconds: word,
      drainSeconds: word,
      retainSeconds: word,
      onFailure: word,
      whileDown: word,
      converge: fc.boolean(),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  fc.assert(
    fc.property(word, options, (text, chosen) => {
      if (readOrRefused(() => (checkVersion(text), text)) !== null)
        expect(text).toMatch(/^[0-9A-Za-z.-]{1,40}$/);
      if (readOrRefused(() => (checkAddress(text), text)) !== null)
        expect(text).toMatch(/^(https?|file):[!#-~]+$/);
      readOrRefused(() => checkedArtifact("https://example.org/a.zip", text));
      readOrRefused(() => parseGoal(text));
      const schedule = readOrRefused(() => scheduleFrom(project, chosen)) ?? undefined;
      if (schedule !== undefined) parseFile(Schedule, JSON.stringify(schedule), "the schedule");
    }),
    runs(5),
  );
});

const PROJECT = {
  "environments/local.json": JSON.stringify({
    formatVersion: 1,
    application: "socialgoal",
    name: "local",
    record: "release.json",
    platform: { kind: "local", database: "postgres" },
    topology: "sideBySide",
    servers: { count: 1 },
    start: ["node", "server.js"],
  }),
};

test("as a process, the command refuses it in one line, and makes nothing", () => {
  const commands = fc.oneof(
    given.map((text) => ["release", `--artifact=${join(folder, "none")}`, "--", text]),
    given.map((text) => ["release", "1.0.0", `--artifact=none${text}`]),
    given.map((text) => ["release", "1.0.0", `--artifact=https://${text}`]),
    given.map((text) => ["migrations", `./${text}x`]),
    given.map((text) => ["history", "--", `x${text}`]),
    given.map((text) => ["history", `--limit=x${text}`]),
    given.map((text) => ["report", `./none${text}`]),
    given.map((text) => ["promote", `--to=x${text}`]),
    given.map((text) => ["status", `--environment=none${text}`]),
    given.map((text) => ["ban", "--reason=x", "--", `${text}\n`]),
    given.map((text) => ["prove", "--live=blue", `./none${text}`]),
    given.map((text) => ["heal", "--", `x${text}`]),
  );
  for (const [name, content] of Object.entries(PROJECT)) {
    spawnSync("mkdir", ["-p", join(folder, "environments")]);
    writeFileSync(join(folder, name), content);
  }
  fc.assert(
    fc.property(commands, (args) => {
      expectRefused(run(...args));
      expect(readdirSync(folder)).toEqual(expect.not.arrayContaining(["release.json"]));
    }),
    runs(0.1),
  );
});

// --- plans ---

const STEPS = ["install-blue-web-1", "install-blue-web-2", "install-green-web-1", "install-green-web-2"];
const change = (step: string, actions: string[]) => ({
  address: `terraform_data.${step}`,
  mode: "managed",
  change: { actions, before: { virtual_machine_id: "/a" }, after: {} },
});
const plan = {
  format_version: "1.2",
  resource_changes: [
    ...STEPS.map((step) => change(step, step.includes("blue") ? ["no-op"] : ["create", "delete"])),
    change("begin-proxy-1", ["create", "delete"]),
    change("switch-proxy-1", ["create", "delete"]),
    { ...change("web-1", ["no-op"]), previous_address: undefined },
  ],
};

/** The same question, asked in the plainest way: does anything happen to what is not a step, or to blue? */
function isProvable(document: unknown): boolean {
  const { resource_changes = [] } = document as { resource_changes?: PlannedChange[] };
  return resource_changes.every(({ address, change: { actions, importing }, mode, previous_address }) => {
    if (mode === "data") return true;
    const still = actions.every((action) => action === "no-op");
    if (still && importing === undefined && previous_address === undefined) return true;
    return STEP.test(address) && !/install-blue/.test(address);
  });
}

interface PlannedChange {
  readonly address: string;
  readonly mode?: string;
  readonly previous_address?: string;
  readonly change: { readonly actions: string[]; readonly importing?: unknown };
}

const STEP =
  /^(module\.[\w-]+\.)*(terraform_data|azurerm_virtual_machine_run_command)\.[\w-]*(install|begin|switch|migrate|share|converge|hook)-/;

test("what is proved of a changed plan leaves the live slot and all that is no step alone", () => {
  let proved = 0;
  fc.assert(
    fc.property(mutated(fc.constant(plan)), (document) => {
      const untouched = readOrRefused(() =>
        proveLiveSlotUntouched(readPlan(JSON.stringify(document)), "blue"),
      );
      if (untouched === null) return;
      proved += 1;
      expect(untouched).toBeGreaterThan(0);
      expect(isProvable(document)).toBe(true);
    }),
    runs(5),
  );
  // Else this has shown nothing.
  expect(proved).toBeGreaterThan(0);
});

test("`bluegreen prove` says so in one line", () => {
  fc.assert(
    fc.property(mutated(fc.constant(plan)), (document) => {
      const file = join(folder, "plan.json");
      writeFileSync(file, JSON.stringify(document));
      const proof = readOrRefused(() => proveLiveSlotUntouched(readPlan(JSON.stringify(document)), "blue"));
      const ran = run("prove", file, "--live", "blue");
      if (proof === null) expectRefused(ran);
      else expect(ran).toMatchObject({ exitCode: 0, lines: [] });
    }),
    runs(0.05),
  );
});
