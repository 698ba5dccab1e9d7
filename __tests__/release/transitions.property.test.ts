/** After any operations with any outcomes, proxies and servers accept the next record. */
import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { formatRecord, healedServers, idOrNull, parseRecord, target } from "../../release/record";
import type { Goal, ReleaseRecord } from "../../release/record";
import { Refusal } from "../../release/failure";
import { releaseId } from "../../release/release";
import { resolveSchedule } from "../../release/schedule";
import type { Schedule, ScheduleChoice } from "../../release/schedule";
import { otherSlot, SLOTS } from "../../release/slot";
import * as transitions from "../../release/transitions";
import { candidateOf, deepFreeze } from "./examples";
import { OUTCOMES, promise, recordedIds, World } from "./world";
import type { Outcome, Server } from "./world";

type Command =
  | { kind: "release"; version: string; goal: Goal; schedule: ScheduleChoice | null; outcome: Outcome }
  | { kind: "stage"; version: string; schedule: ScheduleChoice | null; outcome: Outcome }
  | { kind: "promote"; to: Goal; outcome: Outcome }
  | { kind: "rollback"; schedule: ScheduleChoice | null; outcome: Outcome }
  | { kind: "retry"; seemsDown: boolean; outcome: Outcome }
  | { kind: "heal"; servers: Server[]; lost: boolean; outcome: Outcome }
  | { kind: "cancel"; outcome: Outcome };

const outcomes = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Outcome>("success") },
  { weight: 2, arbitrary: fc.constantFrom(...OUTCOMES) },
);
const versions = fc.constantFrom("1.0", "1.1", "2.0", "3.0-rc.1");
const goals: fc.Arbitrary<Goal> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Goal>("live") },
  fc.constant<Goal>("staged"),
  fc.integer({ min: 1, max: 99 }),
);

/** Convergence belongs to the topology `split`; the other topology refuses it with the environment. */
function schedules(topology: "split" | "sideBySide"): fc.Arbitrary<ScheduleChoice> {
  const onFailure = fc.constantFrom("rollback" as const, "freeze" as const);
  const afterPromotion =
    topology === "split"
      ? fc.constantFrom("retain" as const, "converge" as const)
      : fc.constant("retain" as const);
  const plain = { noNullPrototype: true };
  return fc.oneof(
    fc.record(
      { strategy: fc.constantFrom("blueGreen" as const, "canary" as const), onFailure, afterPromotion },
      plain,
    ),
    fc.record({ strategy: fc.constant("recreate" as const) }, plain),
  );
}

function commands(topology: "split" | "sideBySide"): fc.Arbitrary<Command[]> {
  const schedule = fc.option(schedules(topology), { freq: 3 });
  const command: fc.Arbitrary<Command> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("release" as const),
        version: versions,
        goal: goals,
        schedule,
        outcome: outcomes,
      }),
    },
    fc.record({ kind: fc.constant("stage" as const), version: versions, schedule, outcome: outcomes }),
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("promote" as const), to: goals, outcome: outcomes }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("rollback" as const), schedule, outcome: outcomes }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("retry" as const),
        seemsDown: fc.boolean(),
        outcome: outcomes,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("heal" as const),
        servers: fc.constantFrom<Server[]>(["web-1"], ["web-2"], ["web-1", "web-2"]),
        lost: fc.boolean(),
        outcome: outcomes,
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), outcome: outcomes }) },
  );
  return fc.array(command, { minLength: 1, maxLength: 15, size: "max" });
}

const stories = fc.constantFrom("split" as const, "sideBySide" as const).chain((topology) =>
  fc.record({
    environmentSchedule: schedules(topology).map(resolveSchedule),
    commands: commands(topology),
  }),
);

function transition(world: World, command: Command, environmentSchedule: Schedule): ReleaseRecord {
  const record = deepFreeze(world.record);
  const observed = deepFreeze(world.observed);
  const intent = (schedule: ScheduleChoice | null) =>
    deepFreeze({ environmentSchedule, ...(schedule === null ? {} : { schedule }) });
  switch (command.kind) {
    case "release": {
      const candidate = deepFreeze(candidateOf(command.version));
      return transitions.release(record, candidate, observed, {
        ...intent(command.schedule),
        goal: command.goal,
      });
    }
    case "stage":
      return transitions.stage(
        record,
        deepFreeze(candidateOf(command.version)),
        observed,
        intent(command.schedule),
      );
    case "promote":
      return transitions.promote(record, observed, command.to);
    case "rollback":
      return transitions.rollback(record, observed, intent(command.schedule));
    case "retry": {
      const missing = world.answers(record.active) !== idOrNull(target(record));
      return transitions.retry(record, observed, missing || command.seemsDown);
    }
    case "heal":
      if (command.lost) command.servers.forEach((server) => world.lose(server));
      return transitions.heal(record, observed, command.servers);
    case "cancel":
      return transitions.cancel(record, observed);
  }
}

/** @returns null where the transition was refused. */
function play(world: World, command: Command, environmentSchedule: Schedule): ReleaseRecord | null {
  if (command.kind === "cancel") world.abort();
  const before = JSON.stringify(world.record);
  let next: ReleaseRecord | null = null;
  try {
    next = transition(world, command, environmentSchedule);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    promise(`a refusal helps: ${error.message}`, /^[^\n]{25,400}$/.test(error.message));
  }
  promise("a transition leaves its input alone", JSON.stringify(world.record) === before);
  return next;
}

function check(next: ReleaseRecord, command: Command, world: World): void {
  const { record, observed } = world;
  promise("the sequence grows by one", next.sequence === record.sequence + 1);
  const read = parseRecord(formatRecord(next), "release.json");
  promise("the file format keeps it", isDeepStrictEqual(read, next));

  const { blue, green, previous } = recordedIds(next);
  const { releaseId: stable } = observed;
  promise("what is live is recorded", stable === null || [blue, green, previous].includes(stable));
  promise(`${previous} was stable`, previous === null || world.wasStable.has(previous));
  const goesOn = ["release", "stage", "promote", "rollback"].includes(command.kind);
  promise(`previous is ${stable}, what is stable now`, !goesOn || previous === stable);
  for (const slot of SLOTS) {
    const entry = next.slots[slot];
    const isNew = entry !== null && ![idOrNull(record.slots[slot]), stable].includes(releaseId(entry));
    promise("what is new has the new run", !isNew || entry.run === next.sequence);
  }
  for (const [server, healed] of Object.entries(next.heals ?? {})) {
    const isNeeded = SLOTS.some((slot) => (next.slots[slot]?.run ?? healed) < healed);
    promise(`the heal of ${server} is forgotten once it means nothing`, isNeeded);
  }
  if (command.kind !== "heal") return;
  promise("a heal is of its servers", isDeepStrictEqual(healedServers(next), command.servers));
  const rest = ({ sequence: _, heals: __, schedule: ___, retry: ____, ...kept }: ReleaseRecord) => kept;
  promise("a heal changes nothing else", isDeepStrictEqual(rest(next), rest(record)));
}

test("whatever happens, the next record is one that begin, the servers and the file format accept", () => {
  const reached: Record<string, number> = {};
  fc.assert(
    fc.property(stories, ({ environmentSchedule, commands }) => {
      const world = new World({ schedule: environmentSchedule });
      for (const command of commands) {
        const next = play(world, command, deepFreeze(environmentSchedule));
        const count = (what: string) => (reached[what] = (reached[what] ?? 0) + 1);
        if (next === null) {
          count(`${command.kind} refused`);
          continue;
        }
        check(next, command, world);
        world.mayMeetFailedInstall = command.kind === "promote";
        const became = world.apply(next, command.outcome);
        count(`${command.kind} ${became}`);
        // A rollback is never refused because the artifact failed earlier.
        const goesBack = ["rollback", "retry", "heal", "cancel"].includes(command.kind);
        promise(`${command.kind} is let in`, !goesBack || became !== "refused");
      }
    }),
    { numRuns: 6_000 },
  );
  // The model would prove nothing without these.
  const never = ["release", "promote", "rollback", "retry", "heal", "cancel"].flatMap((kind) =>
    ["refused", "success", "rejected", "installFailed", "abortedAfterInstall"]
      .map((became) => `${kind} ${became}`)
      .filter((what) => (reached[what] ?? 0) < 5),
  );
  expect(never).toEqual([]);
});

test("promoted releases alternate between the slots", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ version: versions, strategy: fc.constantFrom("blueGreen" as const, "canary" as const) }),
        {
          minLength: 4,
          maxLength: 10,
        },
      ),
      fc.boolean(),
      (releases, converge) => {
        const environmentSchedule = resolveSchedule({
          strategy: "blueGreen",
          afterPromotion: converge ? "converge" : "retain",
        });
        const world = new World({ schedule: environmentSchedule });
        const slots = releases.map(({ version, strategy }) => {
          const schedule = { strategy, afterPromotion: environmentSchedule.afterPromotion };
          const record = transitions.release(world.record, candidateOf(version), world.observed, {
            environmentSchedule,
            schedule,
          });
          expect(world.apply(record, "success")).toBe("success");
          return world.observed.live;
        });
        slots.forEach((slot, index) => {
          if (index > 0) expect(slot).toBe(otherSlot(slots[index - 1]!));
        });
      },
    ),
    { numRuns: 300 },
  );
});

test("a recreate stays in the slot that is live", () => {
  fc.assert(
    fc.property(fc.array(versions, { minLength: 2, maxLength: 6 }), (released) => {
      const environmentSchedule = resolveSchedule({ strategy: "recreate" });
      const world = new World({ schedule: environmentSchedule });
      for (const version of released) {
        const record = transitions.release(world.record, candidateOf(version), world.observed, {
          environmentSchedule,
        });
        expect(world.apply(record, "success")).toBe("success");
        expect(world.observed.live).toBe("blue");
      }
    }),
    { numRuns: 100 },
  );
});
