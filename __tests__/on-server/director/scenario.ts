/** Any life of an application: releases good and bad, and everything that may come between two effects. */
import * as fc from "fast-check";
import type { Activation, HttpExchange } from "../../../configuration/http-exchange";
import type { Sessions } from "../../../configuration/sessions";
import { Refusal } from "../../../release/failure";
import type { ReleaseRecord, Goal } from "../../../release/record";
import type { Candidate, Release } from "../../../release/release";
import { otherSlot } from "../../../release/slot";
import type { ScheduleChoice } from "../../../release/schedule";
import type { Fault } from "./mutants";
import { DIRECTOR_PHASES } from "../../../release/director-status";
import { Operator } from "./operator";
import type { Applied } from "./operator";
import { artifact, REACHABLE, simulatedEnvironment, SimulatedWorld } from "./simulated-world";
import type { Behaviour, CrashPoint } from "./simulated-world";

type Action =
  | {
      readonly kind: "release";
      readonly behaviour: Behaviour;
      readonly goal: Goal;
      readonly again: boolean;
      readonly contracts: readonly string[];
    }
  | { readonly kind: "promote"; readonly to: Goal }
  | { readonly kind: "rollback" | "retry" | "cancel" | "abort" | "abortOnly" | "exchange" }
  | { readonly kind: "contract"; readonly script: string }
  | { readonly kind: "takeRetained"; readonly how: "empty" | "converge" }
  | { readonly kind: "heal"; readonly servers: readonly string[]; readonly lost: boolean }
  | { readonly kind: "stableFails" | "stableRecovers" }
  | { readonly kind: "changedByHand"; readonly weight: number };

/** What users and their requests are like. */
interface Site {
  readonly requestsPerMs: number;
  readonly hasLongRequests: boolean;
  /** Whether instances are told that they are live. */
  readonly activates: boolean;
}

interface Happening {
  readonly action: Action;
  readonly crash: CrashPoint | null;
  readonly abortAfterMs: number | null;
  readonly installFails: boolean;
}

export interface Scenario {
  readonly schedule: ScheduleChoice;
  readonly site: Site;
  readonly happenings: readonly Happening[];
  /** How long clients stay active on a release that users leave. @default - no affinity */
  readonly staysMs?: number;
  /** Of the directors that run in it. @default none */
  readonly fault?: Fault;
}

const exchange = (path: string): HttpExchange => ({
  ...{ method: "POST", path, headers: {}, headerPatterns: {}, status: 200 },
});
const ACTIVATION: Activation = { activate: exchange("/on"), deactivate: exchange("/off") };

const SESSIONS: Sessions = {
  affinity: "server",
  withoutCookie: [],
  drain: { idleSeconds: 1, atMostSeconds: 3 },
};

const PLACES = DIRECTOR_PHASES.flatMap((phase) => REACHABLE[phase].map((point) => ({ phase, point })));

/** What a release that works after every contract migration says of itself. */
export const SCRIPTS = ["0005-drop.sql", "0009-rename.sql"];

const seconds = fc.constantFrom(0, 0.3, 1);
const steps = fc.constantFrom<number[]>([100], [10, 100], [5, 25, 50, 100], [99, 100]);
const goal = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Goal>("live") },
  fc.constant<Goal>("staged"),
  fc.constantFrom<Goal>(1, 25, 30, 99),
);

const shift = fc.record({
  strategy: fc.constantFrom("blueGreen" as const, "canary" as const),
  steps,
  stepSeconds: seconds,
  bakeSeconds: seconds,
  drainSeconds: fc.constant(1),
  onFailure: fc.constantFrom("rollback" as const, "freeze" as const),
  afterPromotion: fc.constantFrom("retain" as const, "retain" as const, "converge" as const),
  retainSeconds: fc.constantFrom(0, 0, 5),
  analysis: fc.constant({ intervalSeconds: 0.4, minimumRequests: 20 }),
});
const recreate = fc.record({
  strategy: fc.constant("recreate" as const),
  drainSeconds: fc.constant(1),
  whileDown: fc.constantFrom("hold" as const, "maintenancePage" as const),
});

const behaviour = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Behaviour>("good") },
  fc.constantFrom<Behaviour>("unhealthy", "failsUnderTraffic", "slowUnderTraffic", "diesUnderTraffic"),
);

const release = fc.record({
  kind: fc.constant("release" as const),
  behaviour,
  goal,
  again: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
  contracts: fc.constantFrom<readonly string[]>([], SCRIPTS.slice(0, 1), SCRIPTS, SCRIPTS),
});

const plainAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: release },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("promote" as const), to: goal }) },
  fc.record({ kind: fc.constant("contract" as const), script: fc.constantFrom(...SCRIPTS) }),
  fc.record({
    kind: fc.constant("takeRetained" as const),
    how: fc.constantFrom("empty" as const, "converge" as const),
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("heal" as const),
      servers: fc.constantFrom(["web-1"], ["web-2"], ["web-1", "web-2"], ["web-1", "web-3"]),
      lost: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("rollback", "retry", "cancel", "abort", "abortOnly", "exchange"),
    }) as fc.Arbitrary<Action>,
  },
);

const rudeAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: plainAction },
  fc.record({ kind: fc.constantFrom("stableFails" as const, "stableRecovers" as const) }),
  fc.record({ kind: fc.constant("changedByHand" as const), weight: fc.integer({ min: 0, max: 100 }) }),
);

function happenings(action: fc.Arbitrary<Action>): fc.Arbitrary<Happening[]> {
  const when = fc.constantFrom("before" as const, "after" as const);
  const crash = fc.oneof<fc.Arbitrary<CrashPoint>[]>(
    fc.record({ effect: fc.integer({ min: 1, max: 24 }), when }),
    fc
      .record({ place: fc.constantFrom(...PLACES), when })
      .map(({ place, when: at }) => ({ ...place, when: at })),
  );
  const happening = fc.record({
    action,
    crash: sometimes(crash),
    abortAfterMs: sometimes(fc.integer({ min: 0, max: 3_000 })),
    installFails: fc.oneof({ weight: 8, arbitrary: fc.constant(false) }, fc.constant(true)),
  });
  return fc.array(happening, { minLength: 1, maxLength: 9 });
}

function sometimes<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, arbitrary);
}

const site: fc.Arbitrary<Site> = fc.record({
  requestsPerMs: fc.constantFrom(0.4, 0.4, 0.01, 0),
  hasLongRequests: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
  activates: fc.boolean(),
});

/** Releases, crashes, aborts, failures of candidates. */
export const scenario: fc.Arbitrary<Scenario> = fc.record({
  schedule: fc.oneof<fc.Arbitrary<ScheduleChoice>[]>(shift, shift, shift, recreate),
  site,
  happenings: happenings(plainAction),
});

/** ... and live releases that fail, and proxies that somebody changes by hand. */
export const rudeScenario: fc.Arbitrary<Scenario> = fc.record({
  schedule: fc.oneof<fc.Arbitrary<ScheduleChoice>[]>(shift, shift, shift, recreate),
  site,
  happenings: happenings(rudeAction),
});

/** The same, where clients leave a release one by one. */
export const leavingScenario: fc.Arbitrary<Scenario> = fc.record({
  schedule: fc.oneof<fc.Arbitrary<ScheduleChoice>[]>(
    shift.map((each) => ({ ...each, afterPromotion: "retain" as const })),
    recreate,
  ),
  site,
  happenings: happenings(plainAction),
  staysMs: fc.constantFrom(0, 700, 2_500, 60_000),
});

export interface Played {
  readonly operator: Operator;
  readonly world: SimulatedWorld;
  readonly applied: readonly Applied[];
  /** Every record that was applied, the oldest first. */
  readonly records: readonly ReleaseRecord[];
}

/** @param watch is told after each apply. */
export async function play(
  { schedule, site: { activates, ...users }, happenings: all, fault, staysMs }: Scenario,
  watch: (applied: Applied, operator: Operator) => void | Promise<void> = () => undefined,
): Promise<Played> {
  const environment = simulatedEnvironment(schedule);
  const world = new SimulatedWorld({
    ...environment,
    ...(activates && { activation: ACTIVATION }),
    ...(staysMs !== undefined && { sessions: SESSIONS }),
  });
  Object.assign(world, users, { activeMs: staysMs ?? 0 });
  if (fault !== undefined) world.fault = fault;
  const operator = new Operator(world);
  const applied: Applied[] = [];
  for (const [index, { action, crash, abortAfterMs, installFails }] of all.entries()) {
    world.crash = crash;
    world.abortAfterMs = abortAfterMs;
    world.countEffects();
    const done = await perform(operator, action, `1.${index}.0`, installFails);
    world.crash = null;
    world.abortAfterMs = null;
    if (done === null) continue;
    applied.push(done);
    await watch(done, operator);
  }
  return { operator, world, applied, records: applied.map(({ record }) => record) };
}

function withoutRun({ run: _, ...candidate }: Release): Candidate {
  return candidate;
}

/** @returns null where nothing was applied, or the command refused. */
async function perform(
  operator: Operator,
  action: Action,
  version: string,
  installFails: boolean,
): Promise<Applied | null> {
  const { world } = operator;
  try {
    switch (action.kind) {
      case "release": {
        const { active, slots } = operator.record;
        const known = action.again ? slots[active] : null;
        if (known === null) world.behaviours.set(version, action.behaviour);
        const { schedule } = world.environment;
        const goal = schedule.strategy === "recreate" ? "live" : action.goal;
        return await operator.release(
          known === null ? { ...artifact(version), contracts: [...action.contracts] } : withoutRun(known),
          { goal, installFails },
        );
      }
      case "promote":
        return await operator.promote(action.to);
      case "rollback":
        return await operator.rollback();
      case "retry":
        return await operator.retry({ installFails });
      case "heal":
        return await operator.heal(action.servers, {
          installFails,
          ...(action.lost ? { lost: action.servers[0]! } : {}),
        });
      case "contract":
        return await operator.contract(action.script);
      case "exchange":
        return await operator.exchange();
      case "takeRetained":
        return await operator.takeRetained(action.how);
      case "cancel":
        return await operator.cancel();
      case "abort":
        return await operator.abort();
      case "abortOnly":
        await world.run("abort", operator.record);
        return null;
      case "stableFails":
      case "stableRecovers": {
        const { stable } = world.state;
        if (stable !== null) world.setUp(stable.slot, action.kind === "stableRecovers");
        return null;
      }
      case "changedByHand": {
        const live = world.traffic.live === null ? "blue" : otherSlot(world.traffic.live);
        world.traffic = { ...world.traffic, live, weight: action.weight, offset: 77 };
        return null;
      }
    }
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
}
