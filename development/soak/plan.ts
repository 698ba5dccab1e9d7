/** Chooses the next kind of sequence and the strategy, from a seed. The same seed gives the same soak. */

const KINDS = [
  "good",
  "goodWithMigration",
  "neverHealthy",
  "failsUnderTraffic",
  "badArchive",
  "aborted",
  "interrupted",
  "rollback",
  "retry",
  "heldThenPromoted",
  "staged",
  "heal",
] as const;
export type Kind = (typeof KINDS)[number];

const WEIGHTS: Readonly<Record<Kind, number>> = {
  good: 5,
  goodWithMigration: 3,
  neverHealthy: 2,
  failsUnderTraffic: 2,
  badArchive: 1,
  aborted: 2,
  interrupted: 1,
  rollback: 3,
  retry: 3,
  heldThenPromoted: 2,
  staged: 1,
  heal: 2,
};

/** Returns numbers from 0 to below 1: mulberry32, which is good enough here. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: () => number, all: readonly T[]): T {
  return all[Math.floor(random() * all.length)]!;
}

/** @param isPossible whether a kind makes sense after the last sequence. */
export function nextKind(random: () => number, isPossible: (kind: Kind) => boolean): Kind {
  const possible = KINDS.filter(isPossible);
  let left = random() * possible.reduce((sum, kind) => sum + WEIGHTS[kind], 0);
  return possible.find((kind) => (left -= WEIGHTS[kind]) < 0) ?? "good";
}

/** Options of a release that should succeed. */
export function strategyOptions(random: () => number): string[] {
  return pick(random, [
    ["--strategy", "blueGreen"],
    ["--strategy", "canary", "--steps", "10,50,100", "--step-seconds", "0.4"],
    ["--strategy", "recreate", "--while-down", "hold"],
  ]);
}
