/** Hooks in the web stack: steps between the steps, the same graph for every record, and no trace where there are none. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { emptyRecord } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { azureEnvironment } from "../configuration/azure/examples";
import { recordOf, releaseOf } from "../release/examples";
import { environmentWith, synthesizeWeb } from "./synthesis";
import type { SynthesizedStack } from "./synthesis";

const PHASES = ["begin", "install", "switch", "converge", "share"];
const hook = (when: string, more: object = {}) => ({ when, command: ["true"], ...more });
const everywhere = PHASES.flatMap((phase) => [hook(`before ${phase}`), hook(`after ${phase}`)]);
const split = (hooks: readonly object[] | undefined) => environmentWith({ topology: "split", hooks });

function graph({ resources }: SynthesizedStack): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(resources).map(([id, { depends_on = [] }]) => [
      id,
      depends_on.map((address) => address.replace("terraform_data.", "")).sort(),
    ]),
  );
}

/** Everything that has to come before a step. */
function before(edges: Record<string, readonly string[]>, id: string): string[] {
  const found = new Set<string>();
  const visit = (each: string): void =>
    edges[each]!.forEach((earlier) => {
      if (found.has(earlier)) return;
      found.add(earlier);
      visit(earlier);
    });
  visit(id);
  return [...found].sort();
}

test("hooks before a phase stand between the phase before and it, those after hold up nothing", () => {
  const edges = graph(synthesizeWeb(split(everywhere), recordOf()));
  const first = { begin: "begin-proxy-1", install: "install-blue-web-1", switch: "switch-proxy-1" };
  const all = { ...first, converge: "converge-blue-web-1", weight: "share-proxy-1" };
  const steps = Object.values(all);
  for (const [index, phase] of PHASES.entries()) {
    const earlier = PHASES.slice(0, index);
    const gate = before(edges, `hook-before-${phase}-1`);
    expect(gate).toEqual(expect.arrayContaining(steps.slice(0, index)));
    expect(gate.filter((id) => id.startsWith("hook-"))).toEqual(
      earlier.map((each) => `hook-before-${each}-1`).sort(),
    );
    expect(edges[steps[index]!]).toContain(`hook-before-${phase}-1`);
    expect(edges[`hook-after-${phase}-1`]).toContain(steps[index]);
  }
  for (const dependsOn of Object.values(edges)) {
    expect(dependsOn.filter((id) => id.startsWith("hook-after-"))).toEqual([]);
  }
});

test("hooks of one moment run one after another", () => {
  const hooks = [
    hook("before switch", { name: "b" }),
    hook("before switch", { name: "a" }),
    hook("before switch"),
  ];
  const edges = graph(synthesizeWeb(environmentWith({ hooks }), recordOf()));
  expect(edges["hook-before-switch-2"]).toContain("hook-before-switch-1");
  expect(edges["hook-before-switch-3"]).toEqual(
    expect.arrayContaining(["hook-before-switch-2", "hook-before-switch-1"]),
  );
  expect(edges["switch-proxy-1"]).toEqual(
    expect.arrayContaining(["hook-before-switch-3", "hook-before-switch-2", "hook-before-switch-1"]),
  );
});

test("hooks in another order do not change the graph: that would be a cycle in Terraform", () => {
  const [one, other] = [hook("before switch", { name: "one" }), hook("before switch", { name: "other" })];
  const of = (hooks: readonly object[]) => graph(synthesizeWeb(environmentWith({ hooks }), recordOf()));
  expect(of([one, other])).toEqual(of([other, one]));
});

const RECORDS: readonly Partial<ReleaseRecord>[] = [
  {},
  { converge: true },
  { sequence: 3 },
  { sequence: 4, active: "blue", slots: { blue: releaseOf("3.0.0", 4), green: releaseOf("2.0.0", 2) } },
  { sequence: 3, heals: { "web-1": 3 } },
  { sequence: 3, active: "blue", slots: { blue: releaseOf("1.0.0", 1), green: null }, previous: null },
];

test("the graph is the same for every record", () => {
  const graphs = RECORDS.map((changes) => graph(synthesizeWeb(split(everywhere), recordOf(changes))));
  for (const each of graphs) expect(each).toEqual(graphs[0]);
});

test("every sequence runs them anew, before the old execution's record goes; one without the phase runs none", () => {
  const { resources } = synthesizeWeb(split(everywhere), recordOf());
  const { "hook-before-switch-1": gate, "hook-before-share-1": unneeded } = resources;
  expect(gate!.triggers_replace).toMatch(/^hook-before-switch-1-2-[0-9a-f]{8}$/);
  expect(gate).toMatchObject({ lifecycle: { create_before_destroy: true } });
  expect(gate!.count).toBeUndefined();
  expect(unneeded!.count).toBe(0);
});

test.each([undefined, []])("an environment with hooks %j has the stack of one that knows none", (hooks) => {
  const without = synthesizeWeb(environmentWith(), recordOf());
  const { text, addresses } = synthesizeWeb(environmentWith({ hooks }), recordOf());
  expect(text).toBe(without.text);
  expect(addresses.filter((address) => address.includes("hook"))).toEqual([]);
});

test("hooks change no other step: neither what runs it nor what it is given", () => {
  const without = synthesizeWeb(split(undefined), recordOf()).resources;
  const hooked = synthesizeWeb(split(everywhere), recordOf()).resources;
  for (const [id, { depends_on: _, ...step }] of Object.entries(without))
    expect(hooked[id]).toMatchObject(step);
});

test("those of the whole release are the command's to run, and no steps", () => {
  const hooks = [hook("before release"), hook("after release")];
  expect(synthesizeWeb(environmentWith({ hooks }), recordOf()).addresses).toEqual(
    synthesizeWeb(environmentWith(), recordOf()).addresses,
  );
});

test("no user's text and no secret is in the stack in a form that Terraform or a shell interprets", () => {
  const command = ["sh", "-c", 'echo ${file("/etc/passwd")} %{ for x in y }', "$(id)"];
  const chat = {
    when: "after switch",
    webhook: "env:CHAT_URL",
    headers: { authorization: "env:CHAT_TOKEN" },
  };
  const hooks = [{ when: "before switch", command }, chat];
  const { text, resources, folder } = synthesizeWeb(environmentWith({ hooks }), recordOf());
  for (const part of ["${", "%{", "$(id)", "/etc/passwd"]) expect(text).not.toContain(part);
  const { command: label, interpreter } = resources["hook-before-switch-1"]!.provisioner[0]![
    "local-exec"
  ] as unknown as { command: string; interpreter: string[] };
  expect(label).toBe(resources["hook-before-switch-1"]!.triggers_replace);
  expect(readFileSync(join(folder, interpreter[1]!), "utf8")).toBe(
    readFileSync("on-server/hooks/run-hook.sh", "utf8"),
  );
});

test("on Azure they run where Terraform runs, too", () => {
  const hooks = [hook("before switch")];
  const web = synthesizeWeb(azureEnvironment({}, { hooks }), recordOf({ application: "shop" }));
  expect(web.addresses.filter((address) => !address.startsWith("azurerm_"))).toEqual([
    "terraform_data.hook-before-switch-1",
  ]);
  const switches = web.json.resource!["azurerm_virtual_machine_run_command"]!["switch-proxy-1"]!;
  expect(switches["depends_on"]).toContain("terraform_data.hook-before-switch-1");
});

test("a record that recreates is refused where a hook would leave its users waiting", () => {
  const record = recordOf({ active: "blue", schedule: { strategy: "recreate" } });
  const environment = environmentWith({ hooks: [hook("before switch", { name: "smoke" })] });
  expect(() => synthesizeWeb(environment, record)).toThrow(
    `hook "smoke" before switch can't stop a recreate, because users already wait by then`,
  );
  expect(() => synthesizeWeb(environment, emptyRecord("socialgoal"))).not.toThrow();
  const strategies = ["blueGreen", "canary"];
  const others = environmentWith({ hooks: [hook("before switch", { strategies })] });
  expect(synthesizeWeb(others, record).resources["hook-before-switch-1"]!.count).toBe(0);
});
