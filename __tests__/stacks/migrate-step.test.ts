/**
 * The migrate step is in the graph of every sequence whose target has migrations, and all that installs or moves traffic
 * waits for it: so no release goes live that the database was not asked about, however its record came to be.
 */
import * as fc from "fast-check";
import { MigrateSpec } from "../../release/migrate-spec";
import { target } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { Refusal } from "../../release/failure";
import { releaseId } from "../../release/release";
import type { Candidate } from "../../release/release";
import { resolveSchedule } from "../../release/schedule";
import * as transitions from "../../release/transitions";
import { azureEnvironment } from "../configuration/azure/examples";
import { candidateOf } from "../release/examples";
import { OUTCOMES, World } from "../release/world";
import { DATABASE, resources } from "./azure";
import { environmentWith, synthesizeWeb } from "./synthesis";

const LOCAL = environmentWith({
  topology: "split",
  platform: { kind: "local", database: "postgres" },
  schedule: { strategy: "blueGreen", afterPromotion: "converge" },
});
const AZURE = azureEnvironment({ database: DATABASE }, { topology: "split", proxies: { count: 2 } });

const KINDS = ["release", "stage", "promote", "rollback", "retry", "heal", "cancel"] as const;
type Kind = (typeof KINDS)[number];

interface Command {
  readonly kind: Kind;
  /** How many scripts the candidate's bundle has; the last is a contract script. 0: it has no migrations. */
  readonly scripts: number;
  readonly outcome: (typeof OUTCOMES)[number];
}

const commands = fc.array(
  fc.record<Command>({
    kind: fc.constantFrom("release" as const, ...KINDS),
    scripts: fc.constantFrom(0, 1, 2, 3, 3),
    outcome: fc.oneof(fc.constant("success" as const), fc.constantFrom(...OUTCOMES)),
  }),
  { minLength: 2, maxLength: 8 },
);

const step = (kind: Kind, outcome: Command["outcome"] = "success"): Command => ({
  kind,
  scripts: 3,
  outcome,
});
/** Scenarios that reach each kind; the random ones may not. */
const ALL_KINDS: [Command[]][] = [
  [[step("release"), step("stage"), step("promote"), step("rollback"), step("heal")]],
  [[step("release"), step("release", "rejected"), step("retry", "takenBack"), step("cancel")]],
];

const CONTRACT = "0003-contract-owner.sql";

function candidate(version: string, scripts: number): Candidate {
  if (scripts === 0) return candidateOf(version);
  const sha256 = String(scripts).repeat(64);
  const newest = scripts === 3 ? CONTRACT : `000${scripts}-more.sql`;
  const migrations = { url: `https://example.org/${sha256}.zip`, sha256, newest };
  return { ...candidateOf(version), migrations, ...(scripts === 3 ? { contracts: [CONTRACT] } : {}) };
}

function transition(world: World, { kind, scripts }: Command, count: number): ReleaseRecord | null {
  const { record, observed } = world;
  const intent = {
    environmentSchedule: resolveSchedule({ strategy: "blueGreen", afterPromotion: "converge" }),
  };
  if (kind === "cancel") world.abort();
  try {
    switch (kind) {
      case "release":
        return transitions.release(record, candidate(`1.${count}`, scripts), observed, intent);
      case "stage":
        return transitions.stage(record, candidate(`1.${count}`, scripts), observed, intent);
      case "promote":
        return transitions.promote(record, observed);
      case "rollback":
        return transitions.rollback(record, observed, intent);
      case "retry":
        return transitions.retry(record, observed, world.answers(record.active) === null);
      case "heal":
        return transitions.heal(record, observed, ["web-1"]);
      case "cancel":
        return transitions.cancel(record, observed);
    }
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
}

interface Step {
  readonly count?: number;
  readonly depends_on?: readonly string[];
}

/** A step's own id of all that it waits for, at whatever distance. */
function waitsFor(steps: Readonly<Record<string, Step>>, id: string, seen = new Set<string>()): Set<string> {
  for (const address of steps[id]?.depends_on ?? []) {
    const before = address.replace(/^[a-z_]+\./, "");
    if (seen.has(before)) continue;
    seen.add(before);
    waitsFor(steps, before, seen);
  }
  return seen;
}

interface Graph {
  readonly steps: Readonly<Record<string, Step>>;
  readonly spec: string | undefined;
}

const PLATFORMS: Readonly<Record<string, (record: ReleaseRecord) => Graph>> = {
  local: (record) => {
    const { resources: steps } = synthesizeWeb(LOCAL, { ...record, application: LOCAL.application });
    return {
      steps,
      spec: steps["migrate-operations-1"]?.provisioner[0]!["local-exec"].environment["MIGRATE_SPEC"],
    };
  },
  azure: (record) => {
    const web = synthesizeWeb(AZURE, { ...record, application: AZURE.application });
    const steps = resources<Step & { parameter: { name: string; value: string }[] }>(
      web,
      "virtual_machine_run_command",
    );
    const given = steps["migrate-operations-1"]?.parameter ?? [];
    return { steps, spec: given.find(({ name }) => name === "MIGRATE_SPEC")?.value };
  },
};

test.each(Object.keys(PLATFORMS))("whatever happened before: %s", (platform) => {
  const reached = new Set<string>();
  fc.assert(
    fc.property(commands, (story) => {
      const world = new World({ schedule: LOCAL.schedule });
      story.forEach((command, count) => {
        const next = transition(world, command, count);
        if (next === null) return;
        const { steps, spec } = PLATFORMS[platform]!(next);
        const release = target(next);
        const has = release?.migrations !== undefined;
        expect(steps["migrate-operations-1"]!.count).toBe(has ? undefined : 0);
        for (const id of Object.keys(steps).filter((each) =>
          /^(install|switch|converge|share)-/.test(each),
        )) {
          expect([...waitsFor(steps, id)]).toContain("migrate-operations-1");
        }
        if (has) {
          reached.add(command.kind);
          const {
            bundle,
            releaseId: id,
            contracted,
          } = MigrateSpec.parse(JSON.parse(Buffer.from(spec!, "base64").toString()));
          expect({ bundle, id }).toEqual({ bundle: release.migrations, id: releaseId(release) });
          // A rollback needs no contract script, so a failing one does not block it.
          const goesOn = ["release", "stage", "retry"].includes(command.kind);
          expect(goesOn || contracted.length === 0).toBe(true);
        }
        world.mayMeetFailedInstall = true;
        world.apply(next, command.outcome);
      });
    }),
    { numRuns: 30, examples: ALL_KINDS },
  );
  expect([...reached].sort()).toEqual([...KINDS].sort());
});
