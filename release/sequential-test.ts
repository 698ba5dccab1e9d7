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
/** Failed, slow, 3xx and 4xx answers of users; failed and slow ones of the director's requests. */
export const COMPARISONS = 6;

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

export function evidence(candidate: Side, stable: Side): Evidence {
  const { candidate: ours, stable: theirs } = perEvent(candidate.trials, stable.trials);
  return ours.map((each, index) => candidate.events * each + stable.events * theirs[index]!);
}

/** What one event of either side adds, while both have so many trials. */
export function perEvent(
  candidate: number,
  stable: number,
): { readonly candidate: Evidence; readonly stable: Evidence } {
  // With answers of one side only, an event says nothing.
  if (candidate <= 0 || stable <= 0) return { candidate: NO_EVIDENCE, stable: NO_EVIDENCE };
  const equal = Math.log(candidate + stable);
  const unequal = RATIOS.map((ratio) => equal - Math.log(ratio * candidate + stable));
  return {
    candidate: unequal.map((each, index) => each + Math.log(RATIOS[index]!)),
    stable: unequal,
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
