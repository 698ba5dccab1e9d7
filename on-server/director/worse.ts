/** Whether users get more failed answers than before, by the same test as a candidate's. Pure. */
import type { AnalysisSettings } from "../../release/schedule";
import * as test from "../../release/sequential-test";

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
  return test.isWorse(sideOf(now), sideOf(before), maxErrorRatio, 1 / falseRollbackRate);
}

export function ratio(answers: Answers): number {
  return test.ratio(sideOf(answers));
}

export function sum(one: Answers, other: Answers): Answers {
  return { answers: one.answers + other.answers, failed: one.failed + other.failed };
}

function sideOf({ answers, failed }: Answers): test.Side {
  return { trials: answers, events: failed };
}
