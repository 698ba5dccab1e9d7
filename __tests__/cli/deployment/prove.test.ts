/** `bluegreen prove` as a pipeline starts it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Slot } from "../../../release/slot";
import { LEAST } from "../../release/examples";
import { lastLine } from "../proxies/last-line";

const COMMAND = resolve("lib/cli/main.js");
const change = (step: string, ...actions: string[]) => ({
  address: `terraform_data.${step}`,
  change: { actions },
});
/** A plan of Azure: what the director of a proxy said last is in what the plan knows. */
function azurePlan(
  stable: Record<string, { slot: Slot; releaseId: string } | null>,
  idOf = (proxy: string) => `switch-${proxy}`,
) {
  const resources = Object.entries(stable).map(([proxy, release]) => {
    const line = lastLine({ proxy }, { sequence: 2, stable: release });
    return {
      address: `azurerm_virtual_machine_run_command.${idOf(proxy)}`,
      values: {
        instance_view: [{ output: `${JSON.stringify(line)}\nbluegreen: ended with 0`, exit_code: 0 }],
      },
    };
  });
  return JSON.stringify({ resource_changes: GOOD, prior_state: { values: { root_module: { resources } } } });
}
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

test("JSON with the reason where it is refused, beside the line for people", () => {
  const { exitCode, stdout, stderr } = prove(GOOD, "--live", "green", "--json");
  expect({ exitCode, verdict: JSON.parse(stdout) as unknown }).toEqual({
    exitCode: 3,
    verdict: {
      proved: false,
      live: "green",
      reason: expect.stringMatching(/^the plan would touch the live slot: .*install-green-web-1/),
      exitCode: 3,
    },
  });
  expect(stderr.trim()).toBe((JSON.parse(stdout) as { reason: string }).reason);
});

test("a plan that ended with an error is refused as JSON, too", () => {
  const { exitCode, stdout } = prove('{"errored":true}', "--live", "blue", "--json");
  expect({ exitCode, verdict: JSON.parse(stdout) as unknown }).toMatchObject({
    exitCode: 3,
    verdict: { proved: false, live: null, reason: expect.stringMatching(/ended with an error/) },
  });
});

describe("with the environment's servers", () => {
  const steps = (...servers: string[]) =>
    servers.flatMap((server) => [
      change(`install-blue-${server}`, "no-op"),
      change(`install-green-${server}`, "delete", "create"),
    ]);
  beforeEach(() => writeFileSync(join(folder, "shop.json"), JSON.stringify(LEAST)));

  test("a plan that has them all is proved", () => {
    const whole = prove(steps("web-1", "web-2"), "--live", "blue", "--environment", "shop.json");
    expect(whole).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("one that leaves a server out is refused, which is not seen without the environment", () => {
    const less = steps("web-1");
    expect(prove(less, "--live", "blue")).toMatchObject({ exitCode: 0 });
    const { exitCode, stderr } = prove(less, "--live", "blue", "--environment", "shop.json");
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/^the plan leaves out install-blue-web-2, install-green-web-2, of servers/);
  });
});

describe("nobody names the live slot, nor is there a project: the directors' words in a plan of Azure do", () => {
  const blue = { slot: "blue" as const, releaseId: "1.0.0-1" };
  const green = { slot: "green" as const, releaseId: "1.1.0-2" };
  test.each([
    ["blue is live", { "proxy-1": blue, "proxy-2": blue }, 0, /^blue is not touched/],
    ["green is live, and would be touched", { "proxy-1": green }, 3, /would touch the live slot/],
    ["nothing is live yet", { "proxy-1": null }, 0, /^all 1 changes are steps/],
    ["the proxies disagree", { "proxy-1": blue, "proxy-2": green }, 2, /the proxies agree on no live slot/],
  ])("%s", (_, stable, exitCode, words) => {
    const ended = prove(azurePlan(stable));
    expect({ ...ended, said: ended.stdout + ended.stderr }).toMatchObject({
      exitCode,
      said: expect.stringMatching(words),
    });
  });

  test.each([
    [
      "stands in a construct of the project",
      "proxy-1",
      (proxy: string) => `release_switch-${proxy}_1A2B3C4D[0]`,
    ],
    ["has proxies with names of their own", "edge", (proxy: string) => `switch-${proxy}`],
  ])("the deployment %s", (_, proxy, idOf) => {
    expect(prove(azurePlan({ [proxy]: blue }, idOf))).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^blue is not touched/),
    });
  });

  test("what is said with --live counts more", () => {
    expect(prove(azurePlan({ "proxy-1": blue }), "--live", "green").exitCode).toBe(3);
  });
});

test("where nothing is live, nothing but steps may change", () => {
  expect(prove(GOOD, "--live", "none")).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^all 1/),
  });
  expect(prove([...GOOD, change("web-1", "delete")], "--live", "none").exitCode).toBe(3);
});

test("stdin", () => {
  const input = JSON.stringify({ resource_changes: GOOD });
  const { status } = spawnSync(process.execPath, [COMMAND, "prove", "-", "--live", "blue"], { input });
  expect(status).toBe(0);
});

test.each<[string, unknown, string[], number, RegExp]>([
  ["the other slot is live", GOOD, ["--live", "green"], 3, /would touch the live slot/],
  ["a change of base", [...GOOD, change("web-1", "update")], ["--live", "blue"], 3, /is not a release step/],
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
