/** Whether users get more failed answers than before, by the same test as a candidate's: see `verdict/evidence.ts`. Pure. */
import type { AnalysisSettings } from "../../release/schedule";
import { evidence, likelihoodRatio } from "./verdict/evidence";
import type { Side } from "./verdict/evidence";

export interface Answers {
  readonly answers: number;
  readonly failed: number;
}

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
  return (
    ratio(now) - ratio(before) > maxErrorRatio &&
    likelihoodRatio(evidence(sideOf(now), sideOf(before))) >= 1 / falseRollbackRate
  );
}

export function ratio({ answers, failed }: Answers): number {
  return failed / Math.max(1, answers);
}

function sideOf({ answers, failed }: Answers): Side {
  return { trials: answers, events: failed };
}
