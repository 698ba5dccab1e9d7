/** A release whose first step Azure refuses with 409: tried again while nothing ran, and only then. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyPastConflicts } from "../../../cli/deployment/conflicts";
import { SILENT } from "../../../cli/terminal/progress";
import { Stack } from "../../../cli/terraform/stack";
import { commandExists, commandRefused } from "../terraform/azurerm-errors";

const BEGIN = "azurerm_virtual_machine_run_command.web_begin-proxy-1_0123ABCD";
const BUSY = commandRefused("begin-2-0a1b2c3d", "409 (409 Conflict)", "Another operation is in progress.");
const FULL = commandRefused(
  "begin-2-0a1b2c3d",
  "409 (409 Conflict)",
  "The maximum number of run commands (25) on this virtual machine has been reached.",
);
const PLAN = {
  format_version: "1.2",
  resource_changes: [{ address: BEGIN, change: { actions: ["create"], before: null, after: {} } }],
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-test-conflict-"));
  mkdirSync(join(folder, "stacks/web"), { recursive: true });
  writeFileSync(join(folder, "stacks/web/cdk.tf.json"), '{"terraform":{}}');
  writeFileSync(join(folder, "plan.json"), JSON.stringify(PLAN));
  const program = join(folder, "terraform");
  writeFileSync(
    program,
    `#!/bin/bash
case $1 in
  show) cat '${folder}/plan.json' ;;
  apply)
    printf x >>'${folder}/applied'
    answer='${folder}/apply-'$(wc -c <'${folder}/applied')
    [ -e "$answer" ] || exit 0
    cat "$answer"
    exit 1 ;;
esac
`,
  );
  chmodSync(program, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the n-th apply prints before it fails. Those without succeed. */
function fails(attempt: number, summary: string, before: readonly object[] = []): void {
  const diagnostic = { severity: "error", summary, detail: "", address: BEGIN };
  const lines = [...before, { "@level": "error", type: "diagnostic", diagnostic }];
  writeFileSync(join(folder, `apply-${attempt}`), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}
const done = { type: "apply_complete", hook: { resource: { addr: BEGIN }, action: "create" } };

async function apply(stopped = (): boolean => false) {
  const stack = new Stack(folder, "web", { path: join(folder, "terraform") } as never);
  const plan = await stack.plan();
  let waited = 0;
  const pause = (seconds: number): Promise<unknown> => Promise.resolve((waited += seconds));
  const result = await applyPastConflicts(
    stack,
    { onStep: () => undefined },
    {},
    {
      ...{ plan, progress: SILENT, stopped, pause },
    },
  );
  const applied = existsSync(join(folder, "applied")) ? readFileSync(join(folder, "applied")).length : 0;
  return { succeeded: result.succeeded, applied, waited, reasons: result.reasons };
}

test("Azure is busy, then free: the release goes on", async () => {
  fails(1, BUSY);
  fails(2, BUSY);
  expect(await apply()).toMatchObject({ succeeded: true, applied: 3, waited: 45 });
});

test("Azure stays busy: it ends after four attempts and less than two minutes, with its words", async () => {
  for (const attempt of [1, 2, 3, 4, 5]) fails(attempt, BUSY);
  const { reasons, ...ended } = await apply();
  expect(ended).toEqual({ succeeded: false, applied: 4, waited: 105 });
  expect(reasons).toEqual([
    'creating Virtual Machine Run Command "begin-2-0a1b2c3d": unexpected status 409 (409 Conflict) with error: Conflict: Another operation is in progress.',
  ]);
});

test.each([
  ["a step ran before", BUSY, [done]],
  ["the server has as many commands as Azure keeps", FULL, []],
  ["the command exists already", commandExists("begin-2-0a1b2c3d"), []],
  ["the step failed by itself", "running the command: polling failed: anything", []],
])("it is not tried again if %s", async (_, summary, before) => {
  fails(1, summary, before);
  expect(await apply()).toMatchObject({ succeeded: false, applied: 1, waited: 0 });
});

test("nor with another plan than the proved one", async () => {
  fails(1, BUSY);
  const stack = new Stack(folder, "web", { path: join(folder, "terraform") } as never);
  const plan = await stack.plan();
  writeFileSync(join(folder, "plan.json"), JSON.stringify({ ...PLAN, resource_changes: [] }));
  const result = await applyPastConflicts(
    stack,
    { onStep: () => undefined },
    {},
    {
      ...{ plan, progress: SILENT, stopped: () => false, pause: () => Promise.resolve() },
    },
  );
  expect(result.succeeded).toBe(false);
  expect(readFileSync(join(folder, "applied"))).toHaveLength(1);
});

test("Ctrl-C ends the wait within a second", async () => {
  fails(1, BUSY);
  let asked = 0;
  expect(await apply(() => (asked += 1) > 4)).toMatchObject({ succeeded: false, applied: 1, waited: 3 });
});
