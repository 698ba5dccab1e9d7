/** A step's Terraform address is parsed back to the step, wherever the deployment is in the stack; other addresses are not. */
import { App, TerraformElement, TerraformStack } from "cdktf";
import { Construct } from "constructs";
import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { STEP_KINDS } from "../../release/hooks";
import type { When } from "../../release/hooks";
import { OPERATIONS_SERVER, proxyPlaces, serverPlaces } from "../../configuration/naming";
import {
  parseEdition,
  parseSlotStepName,
  parseStep,
  shortAddress,
  stepId,
  stepName,
} from "../../release/steps";
import type { Step } from "../../release/steps";
import { recordDigest } from "../../release/record";
import { releaseId } from "../../release/release";
import { SLOTS } from "../../release/slot";
import { environments, records } from "./arbitraries";

const TYPES = ["terraform_data", "azurerm_virtual_machine_run_command"];
const app = new App({ outdir: "unused" });
let stacks = 0;

/** As cdktf names an element inside these constructs. */
function logicalId(constructs: readonly string[], id: string): string {
  let scope: Construct = new TerraformStack(app, `stack-${(stacks += 1)}`);
  for (const each of constructs) scope = new Construct(scope, each);
  return new TerraformElement(scope, id).friendlyUniqueId;
}

function stepsOn(proxies: readonly string[], servers: readonly string[]): Step[] {
  return [
    ...proxies.flatMap((proxy) =>
      (["begin", "switch", "share"] as const).map((kind) => ({ id: stepId[kind](proxy), kind, proxy })),
    ),
    ...servers.flatMap((server) =>
      (["check", "migrate"] as const).map((kind) => ({ id: stepId[kind](server), kind, server })),
    ),
    ...servers.flatMap((server) =>
      SLOTS.flatMap((slot) =>
        (["install", "converge"] as const).map((kind) => ({
          ...{ id: stepId[kind](slot, server), kind },
          ...{ slot, server },
        })),
      ),
    ),
    ...STEP_KINDS.flatMap((phase) =>
      (["before", "after"] as const).flatMap((side) =>
        [1, 2, 50].map((position) => {
          const when: When = `${side} ${phase}`;
          return { id: stepId.hook(when, position), kind: "hook" as const, when, around: phase, position };
        }),
      ),
    ),
  ];
}

/** Names in a custom environment, some of which look like parts of an address. */
const names = fc.oneof(
  fc.stringMatching(/^[a-z0-9-]{1,40}$/),
  fc.constantFrom("begin-1", "blue", "install-green-web-1", "proxy-1", "12345678", "-"),
);
const steps = fc
  .oneof(
    environments.map((environment) =>
      stepsOn(
        proxyPlaces(environment).map(({ name }) => name),
        [...serverPlaces(environment).map(({ name }) => name), OPERATIONS_SERVER],
      ),
    ),
    fc.tuple(names, names).map(([proxy, server]) => stepsOn([proxy], [server])),
  )
  .chain((all) => fc.constantFrom(...all));
const constructs = fc.array(
  fc.oneof(
    fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/),
    fc.constantFrom("release", "begin-proxy-1", "install-blue-web-1", "hook-before-switch-1", "Default"),
  ),
  { maxLength: 4 },
);
const modules = fc.array(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,10}$/), { maxLength: 2 });
const places = fc.record({ steps, constructs, modules, isCounted: fc.boolean() });

const addressOf = (type: string, logical: string, prefix: readonly string[], isCounted: boolean): string =>
  `${prefix.map((each) => `module.${each}.`).join("")}${type}.${logical}${isCounted ? "[0]" : ""}`;

test("every step that can be written is read back, in constructs, in modules and counted", () => {
  fc.assert(
    fc.property(places, fc.constantFrom(...TYPES), ({ steps: step, ...place }, type) => {
      const logical = logicalId(place.constructs, step.id);
      const address = addressOf(type, logical, place.modules, place.isCounted);
      const isForeign = step.kind === "hook" && type !== "terraform_data";
      expect({ address, step: parseStep(address) }).toEqual({ address, step: isForeign ? null : step });
    }),
    { numRuns: 1_000 },
  );
});

test("the name over which the readers disagreed", () => {
  const logical = logicalId(["release"], "begin-proxy-1");
  expect(logical).toMatch(/^release_begin-proxy-1_[0-9A-F]{8}$/);
  expect(parseStep(`terraform_data.${logical}`)).toEqual({
    ...{ id: "begin-proxy-1", kind: "begin", proxy: "proxy-1" },
  });
});

test("another type, or anything before, behind or in between, is no step", () => {
  const spoilt = fc.constantFrom<(type: string, logical: string) => string>(
    (_, logical) => `null_resource.${logical}`,
    (_, logical) => `data.terraform_data.${logical}`,
    (_, logical) => logical,
    (type, logical) => `${type}.${logical}[1]`,
    (type, logical) => `${type}.${logical}["a"]`,
    (type, logical) => `${type}.${logical}_1a2b3c4d`,
    (type, logical) => `${type}.${logical}.id`,
    (type, logical) => `${type}.${logical}\n`,
    (type, logical) => `x ${type}.${logical}`,
    (type, logical) => `${type}.x-${logical}`,
  );
  fc.assert(
    fc.property(steps, spoilt, fc.constantFrom(...TYPES), (step, spoil, type) => {
      expect(parseStep(spoil(type, step.id))).toBeNull();
    }),
    { numRuns: 1_000 },
  );
});

test("nothing that base deploys on Azure is a step", () => {
  const addresses = readFileSync(join(__dirname, "../stacks/azure-linux.base.addresses.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "");
  expect(addresses.length).toBeGreaterThan(20);
  expect(addresses.filter((address) => parseStep(address) !== null)).toEqual([]);
});

test("a name that cdktf cut off could be another server's, so it is no step", () => {
  const parent = "x".repeat(239 - "install-blue-web-10".length);
  const cut = logicalId([parent], "install-blue-web-10");
  expect(cut).toMatch(/_install-blue-web-10_[0-9A-F]{8}$/);
  expect(parseStep(`terraform_data.${cut}`)).toBeNull();
  const tooLong = logicalId([`${parent}x`], "install-blue-web-10");
  expect(tooLong).toMatch(/_install-blue-web-1_[0-9A-F]{8}$/);
  expect(parseStep(`terraform_data.${tooLong}`)).toBeNull();
  const whole = logicalId([parent.slice(1)], "install-blue-web-10");
  expect(parseStep(`terraform_data.${whole}`)).toMatchObject({ server: "web-10" });
});

test.each([
  ["terraform_data.begin-proxy-1", "begin-proxy-1"],
  ["azurerm_virtual_machine_run_command.release_begin-proxy-1_1A2B3C4D", "begin-proxy-1"],
  ["module.web.terraform_data.migrate-operations-1[0]", "migrate-operations-1"],
  ["terraform_data.web-1", "web-1"],
  ["azurerm_subnet.web", "azurerm_subnet.web"],
])("people see %s as %s", (address, words) => expect(shortAddress(address)).toBe(words));

test("the names of executions are read back", () => {
  fc.assert(
    fc.property(records, fc.constantFrom(...SLOTS), (record, slot) => {
      const edition = { sequence: record.sequence, digest: recordDigest(record).slice(0, 8) };
      for (const kind of ["begin", "migrate", "switch"] as const) {
        expect(parseEdition(stepName[kind](record))).toEqual({ kind, ...edition });
      }
      for (const other of [stepName.share(record), stepName.converge(record, slot)]) {
        expect(parseEdition(other)).toBeNull();
      }
      const healed = { ...record, heals: { "web-1": record.sequence } };
      const { sequence } = record;
      const heal = { kind: "heal", slot: "blue", sequence, releaseId: null };
      expect(parseSlotStepName(stepName.install(healed, "blue", "web-1"))).toEqual(heal);
      const entry = record.slots[slot];
      const placed =
        entry === null
          ? { kind: "empty", slot, sequence, releaseId: null }
          : { kind: "install", slot, sequence: entry.run, releaseId: releaseId(entry) };
      expect(parseSlotStepName(stepName.install({ ...record, heals: {} }, slot, "web-1"))).toEqual(placed);
      const converge = { kind: "converge", slot, sequence, releaseId: null };
      expect(parseSlotStepName(stepName.converge(record, slot))).toEqual(converge);
      for (const other of [stepName.share(record), stepName.begin(record), stepId.install(slot, "web-1x")])
        expect(parseSlotStepName(other)).toBeNull();
    }),
  );
});
