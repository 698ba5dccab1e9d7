/**
 * What a schedule can detect at a site's traffic: which ratio of failed answers is caught by the end of each step with 99 %.
 * A computation of the director's rule (docs/traffic.md) for failed answers that come by chance, from many clients. Pure.
 */
import { logGamma } from "./log-gamma";
import { isWorse, OF_USERS } from "./sequential-test";
import { analysisSettings } from "./schedule";
import type { Schedule } from "./schedule";

export interface SiteTraffic {
  readonly requestsPerSecond: number;
  /** The part of stable's answers that fails. */
  readonly errorRatio: number;
}

export interface DetectableStep {
  readonly weight: number;
  readonly seconds: number;
  /** The smallest part of answers that fails besides what fails with stable, and is caught by the step's end; null: none is. */
  readonly caught: number | null;
}

/** "Every 1000th answer" to all answers. */
const LADDER = [1 / 1000, 1 / 500, 1 / 200, 1 / 100, 1 / 50, 1 / 20, 1 / 10, 1 / 5, 1 / 2, 1];
const SURE = 0.99;
/** Stable's answers before the candidate's first one count, too: those of about so long. */
const SECONDS_BEFORE = 30;

/** After a failed answer the client does not count for a while, in which it asks about so often. */
const UNCOUNTED = 3;
/** So many answers suffice if all of them fail. */
const GROSS = 3;

/** @param steps those that the candidate gets, as a goal may end them early. */
export function detectable(
  {
    steps,
    stepSeconds,
    bakeSeconds,
    analysis,
  }: Pick<Schedule, "steps" | "stepSeconds" | "bakeSeconds" | "analysis">,
  { requestsPerSecond, errorRatio }: SiteTraffic,
): DetectableStep[] {
  const { falseRollbackRate, maxErrorRatio } = analysisSettings(analysis);
  const limits: Limits = {
    likelihoodRatio: 1 / (OF_USERS.failed * falseRollbackRate),
    excess: maxErrorRatio,
  };
  let [candidate, stable] = [0, requestsPerSecond * SECONDS_BEFORE];
  return steps.map((weight) => {
    const seconds = weight === 100 ? bakeSeconds : stepSeconds;
    candidate += (requestsPerSecond * seconds * weight) / 100;
    stable += (requestsPerSecond * seconds * (100 - weight)) / 100;
    const caught = LADDER.find((more) => {
      const failing = errorRatio + (1 - errorRatio) * more;
      const gross = failing === 1 ? 1 - below(GROSS, candidate) : 0;
      return (
        Math.max(gross, chance(counted(candidate, failing), counted(stable, errorRatio), limits)) >= SURE
      );
    });
    return { weight, seconds, caught: caught ?? null };
  });
}

interface Limits {
  readonly likelihoodRatio: number;
  readonly excess: number;
}

interface Counted {
  /** Answers that count, and how many of them fail on average. */
  readonly answers: number;
  readonly failed: number;
}

function counted(answers: number, ratio: number): Counted {
  const count = answers / (1 + UNCOUNTED * ratio);
  return { answers: count, failed: count * ratio };
}

/** That the rule fires, by the counts at the end; it may have fired before. Failed answers are Poisson distributed. */
function chance(candidate: Counted, stable: Counted, limits: Limits): number {
  if (candidate.answers < 1 || stable.answers < 1) return 0;
  const [most, others] = [around(candidate.failed), around(stable.failed)];
  // The more of stable's answers fail, the more of the candidate's have to.
  let needed = most.from;
  let [fewer, total] = [0, 0];
  for (let failed = others.from; failed <= others.to; failed += 1) {
    while (needed <= most.to && !fires(needed, failed, candidate.answers, stable.answers, limits)) {
      fewer += probability(needed, candidate.failed);
      needed += 1;
    }
    if (needed > most.to) break;
    total += probability(failed, stable.failed) * (1 - Math.min(1, fewer));
  }
  return total;
}

/** One client never decides: one failed answer of the candidate is left out. */
function fires(failed: number, stableFailed: number, ours: number, theirs: number, limits: Limits): boolean {
  const [candidate, stable] = [
    { trials: ours, events: failed - 1 },
    { trials: theirs, events: stableFailed },
  ];
  return isWorse(candidate, stable, limits.excess, limits.likelihoodRatio);
}

/** Where nearly all of a Poisson distribution is. */
function around(mean: number): { readonly from: number; readonly to: number } {
  const spread = 8 * Math.sqrt(mean) + 8;
  return { from: Math.max(0, Math.floor(mean - spread)), to: Math.ceil(mean + spread) };
}

/** That a Poisson distributed number is less than `limit`. */
function below(limit: number, mean: number): number {
  let sum = 0;
  for (let number = around(mean).from; number < limit; number += 1) sum += probability(number, mean);
  return Math.min(1, sum);
}

function probability(number: number, mean: number): number {
  if (mean === 0) return number === 0 ? 1 : 0;
  return Math.exp(number * Math.log(mean) - mean - logGamma(number + 1));
}
