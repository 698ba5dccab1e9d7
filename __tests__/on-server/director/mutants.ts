/**
 * Directors with one fault each, made at the director's ports: it does not see, does not do, or does not remember one
 * thing. The property of the fault's invariant must notice (mutants.test.ts).
 */
import type { Surroundings } from "../../../on-server/director/director";
import type { State } from "../../../on-server/director/state";

/** What a faulty director works with instead of its surroundings. */
export type Fault = (surroundings: Surroundings) => Surroundings;

export interface Mutant {
  readonly invariant: string;
  readonly lacks: string;
  readonly fault: Fault;
}

type Driver = Surroundings["driver"];
type Spec = Surroundings["spec"];

const driver =
  (replaced: (original: Driver, surroundings: Surroundings) => Partial<Driver>): Fault =>
  (surroundings) => ({
    ...surroundings,
    driver: { ...surroundings.driver, ...replaced(surroundings.driver, surroundings) },
  });

const spec =
  (replaced: (original: Spec) => Partial<Spec>): Fault =>
  (surroundings) => ({ ...surroundings, spec: { ...surroundings.spec, ...replaced(surroundings.spec) } });

/** @param lost what the state file gives back instead, with each step that reads it. */
const forgets =
  (lost: (state: State, spec: Spec) => Partial<State>): Fault =>
  (surroundings) => {
    const { store } = surroundings;
    const load = () => ({ ...store.load(), ...lost(store.load(), surroundings.spec) });
    return { ...surroundings, store: { ...store, load } };
  };

const probesNothing: Fault = (surroundings) => ({
  ...surroundings,
  probe: async (_, releaseId) => ({ healthy: true, releaseId, problem: "", milliseconds: 5 }),
});

/** Any release will do. */
const probesNoIdentity: Fault = (surroundings) => ({
  ...surroundings,
  probe: async (endpoint, expected) => ({
    ...(await surroundings.probe(endpoint, null)),
    releaseId: expected,
  }),
});

const verifiesOnce = spec(({ verification }) => ({ verification: { ...verification, successes: 1 } }));

const bakesNothing = spec(({ schedule }) => ({ schedule: { ...schedule, bakeSeconds: 0 } }));

const hearsNoAbort: Fault = (surroundings) => ({
  ...surroundings,
  interruption: { ...surroundings.interruption, check: () => undefined },
});

const countsTenfold = driver((original) => ({
  counts: async () => {
    const { blue, green } = await original.counts();
    return {
      blue: { ...blue, requests: 10 * blue.requests },
      green: { ...green, requests: 10 * green.requests },
    };
  },
}));

const seesNothingRun = driver((original) => ({
  counts: async () => {
    const { blue, green } = await original.counts();
    return { blue: { ...blue, inFlight: 0 }, green: { ...green, inFlight: 0 } };
  },
}));

const believesItsIntention = driver((_, { store }) => ({
  observe: async () => store.load().traffic.intended,
}));

const takesNothingOutOfRotation = driver((original) => ({
  setTraffic: async (traffic) => {
    const before = await original.observe();
    if (traffic.live !== before.live || traffic.weight >= before.weight) await original.setTraffic(traffic);
  },
}));

const isNeverFull = driver((original) => ({
  setTraffic: async (traffic) => original.setTraffic({ ...traffic, weight: Math.min(traffic.weight, 99) }),
}));

const NOTHING = async () => undefined;

const knowsNoDigest = forgets(({ stable, candidate, recorded }, { slots }) => {
  const asRecorded = <T extends { readonly releaseId: string } | null>(known: T): T => {
    const same = [slots.blue, slots.green].find((release) => release?.releaseId === known?.releaseId);
    return known === null || !same ? known : { ...known, sha256: same.sha256 };
  };
  return {
    stable: asRecorded(stable),
    candidate: asRecorded(candidate),
    recorded: recorded.map(asRecorded),
  };
});

export const MUTANTS: readonly Mutant[] = [
  { invariant: "I1", lacks: "probes", fault: probesNothing },
  { invariant: "I2", lacks: "ways to take a slot out of rotation", fault: takesNothingOutOfRotation },
  { invariant: "I2", lacks: "a count of running requests", fault: seesNothingRun },
  { invariant: "I2", lacks: "ways to cut what runs too long", fault: driver(() => ({ cut: NOTHING })) },
  {
    invariant: "I2",
    lacks: "ways to take a server out of rotation",
    fault: driver(() => ({ exclude: NOTHING })),
  },
  { invariant: "I3", lacks: "probes", fault: probesNothing },
  { invariant: "I3", lacks: "patience for several successes in a row", fault: verifiesOnce },
  { invariant: "I3", lacks: "memory of the artifact under a name", fault: knowsNoDigest },
  { invariant: "I4", lacks: "patience for the bake", fault: bakesNothing },
  { invariant: "I4", lacks: "the last per cent of the requests", fault: isNeverFull },
  { invariant: "I5", lacks: "probes", fault: probesNothing },
  {
    invariant: "I6",
    lacks: "memory of an abort",
    fault: forgets(() => ({ aborted: false })),
  },
  { invariant: "I6", lacks: "memory of what failed", fault: forgets(() => ({ failedDigests: [] })) },
  { invariant: "I6", lacks: "ears for an abort", fault: hearsNoAbort },
  { invariant: "I7", lacks: "a look at what the proxy does", fault: believesItsIntention },
  { invariant: "I7", lacks: "a look at which release answers", fault: probesNoIdentity },
  { invariant: "I8", lacks: "memory of a deadline", fault: forgets(() => ({ deadline: null })) },
  {
    invariant: "I8",
    lacks: "memory of what it was about to set",
    fault: forgets(({ traffic: { before } }) => ({ traffic: { intended: before, before } })),
  },
  { invariant: "I9", lacks: "a right count of answers", fault: countsTenfold },
  {
    invariant: "I10",
    lacks: "knowledge of contract migrations",
    fault: spec(() => ({ contracted: [] })),
  },
  { invariant: "I11", lacks: "effect on the proxy", fault: driver(() => ({ setTraffic: NOTHING })) },
  { invariant: "I11", lacks: "memory of who is at work", fault: forgets(() => ({ active: null })) },
  { invariant: "I12", lacks: "memory of the sequence", fault: forgets(() => ({ sequence: 0 })) },
  { invariant: "I12", lacks: "memory of the record's digest", fault: forgets(() => ({ recordDigest: "" })) },
  { invariant: "I13", lacks: "memory of the retention", fault: forgets(() => ({ retainedUntil: null })) },
];
