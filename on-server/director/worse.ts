/**
 * Whether users get more failed answers than before: a sequential test, which may be looked at as often as one likes
 * (Lindon and others, "Rapid Regression Detection in Software Deployments through Sequential Testing", KDD 2022). Pure.
 */
import type { AnalysisSettings } from "../../release/schedule";

export interface Answers {
  readonly answers: number;
  readonly failed: number;
}

/** How many times worse it may have got. */
const RATIOS = [1.5, 2, 3, 5, 10, 30, 100] as const;
/** Failed answers of one client are that client's. */
const FEWEST_CLIENTS = 2;

/**
 * @param now with the number of clients that got failed answers, if the proxy can tell
 * @returns false if chance explains the difference, or there is nothing to compare with.
 */
export function isWorse(
  now: Answers & { readonly clients?: number | undefined },
  before: Answers,
  { falseRollbackRate, maxErrorRatio }: Pick<AnalysisSettings, "falseRollbackRate" | "maxErrorRatio">,
): boolean {
  if (now.clients !== undefined && now.clients < FEWEST_CLIENTS) return false;
  return ratio(now) - ratio(before) > maxErrorRatio && likelihoodRatio(now, before) >= 1 / falseRollbackRate;
}

export function ratio({ answers, failed }: Answers): number {
  return failed / Math.max(1, answers);
}

/** Given that an answer failed, it is one of now with the probability of their part of all answers if nothing changed. */
function likelihoodRatio(now: Answers, before: Answers): number {
  if (now.answers === 0 || before.answers === 0) return 1;
  const all = now.answers + before.answers;
  const sum = RATIOS.reduce((total, times) => {
    const unequal = times * now.answers + before.answers;
    const log = now.failed * Math.log((times * all) / unequal) + before.failed * Math.log(all / unequal);
    return total + Math.exp(Math.min(log, 500));
  }, 0);
  return sum / RATIOS.length;
}
