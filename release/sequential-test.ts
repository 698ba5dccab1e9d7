/**
 * How strongly failed answers speak against a candidate, looked at as often as one likes. Given that an answer failed, it
 * is the candidate's with the probability of its part of the answers if both releases are alike, and with a greater one
 * if the candidate fails r times as often. The product of these likelihood ratios, averaged over several r, exceeds
 * 1 / alpha for equal releases with a chance of at most about alpha, over all looks together (Ville's inequality; Lindon
 * and others, "Rapid Regression Detection in Software Deployments through Sequential Testing", KDD 2022). What fails both
 * at the same time cancels. The director judges by it, and `plan` computes from it what a schedule can detect.
 */

/** How many times worse the candidate may be. */
const RATIOS = [1.5, 2, 3, 5, 10, 30, 100] as const;
/** Which part of `falseRollbackRate` each comparison has: most where small differences matter. All add up to 1. */
export const OF_USERS = { failed: 0.35, slow: 0.35, redirects: 0.1, refusals: 0.1 } as const;
export const OF_OWN_REQUESTS = { failed: 0.05, slow: 0.05, redirects: 0, refusals: 0 } as const;

/** Answers that count, and how many of them failed, or were slow: whatever is judged. */
export interface Side {
  readonly trials: number;
  readonly events: number;
}

export const NO_TRIALS: Side = { trials: 0, events: 0 };

export function sum(one: Side, other: Side): Side {
  return { trials: one.trials + other.trials, events: one.events + other.events };
}

export function ratio({ trials, events }: Side): number {
  return trials === 0 ? 0 : events / trials;
}

/** The logarithms of the likelihood ratios, one for each r. They add up over parts of a release. */
export type Evidence = readonly number[];

export const NO_EVIDENCE: Evidence = RATIOS.map(() => 0);

/**
 * @param usual the part of stable's answers that are events, if that is known beforehand and not small: then answers
 * without an event count, too (Turner, Ly, Grünwald, "Generic E-variables for exact sequential k-sample tests", 2024; a
 * wrong one costs power only). For rare events it is the same.
 */
export function evidence(candidate: Side, stable: Side, usual = 0): Evidence {
  const { candidate: ours, stable: theirs } = perEvent(candidate.trials, stable.trials, usual);
  const misses = usual === 0 ? null : perMiss(candidate.trials, stable.trials, usual);
  const [ourMisses, theirMisses] = [candidate, stable].map(({ trials, events }) =>
    Math.max(0, trials - events),
  );
  return ours.map(
    (each, index) =>
      candidate.events * each +
      stable.events * theirs[index]! +
      (misses === null ? 0 : ourMisses! * misses.candidate[index]! + theirMisses! * misses.stable[index]!),
  );
}

interface PerAnswer {
  readonly candidate: Evidence;
  readonly stable: Evidence;
}

/** With answers of one side only, an event says nothing. */
const SAYS_NOTHING: PerAnswer = { candidate: NO_EVIDENCE, stable: NO_EVIDENCE };

/** What one event of either side adds, while both have so many trials. */
export function perEvent(candidate: number, stable: number, usual = 0): PerAnswer {
  if (candidate <= 0 || stable <= 0) return SAYS_NOTHING;
  const equal = Math.log(candidate + stable);
  const worse = RATIOS.map((ratio) => ratio / (1 + (ratio - 1) * usual));
  const unequal = worse.map((ratio) => equal - Math.log(ratio * candidate + stable));
  return { candidate: unequal.map((each, index) => each + Math.log(worse[index]!)), stable: unequal };
}

/** The same for an answer without an event. */
function perMiss(candidate: number, stable: number, usual: number): PerAnswer {
  if (candidate <= 0 || stable <= 0) return SAYS_NOTHING;
  const worse = RATIOS.map((ratio) => (usual * ratio) / (1 + (ratio - 1) * usual));
  const equal = worse.map((ours) => Math.log(1 - (candidate * ours + stable * usual) / (candidate + stable)));
  return {
    candidate: equal.map((each, index) => Math.log(1 - worse[index]!) - each),
    stable: equal.map((each) => Math.log(1 - usual) - each),
  };
}

export function added(one: Evidence, other: Evidence, times = 1): Evidence {
  return one.map((each, index) => each + times * other[index]!);
}

/** The likelihood ratio: 500 means that equal releases come so far with a chance of 1 in 500. */
export function likelihoodRatio(all: Evidence): number {
  return all.reduce((sum, each) => sum + Math.exp(Math.min(each, 500)), 0) / all.length;
}

/** Whether `now` is worse than `before` by more than what is allowed, and likelier so by `limit` times than by chance. */
export function isWorse(now: Side, before: Side, allowed: number, limit: number): boolean {
  return ratio(now) - ratio(before) > allowed && likelihoodRatio(evidence(now, before)) >= limit;
}
