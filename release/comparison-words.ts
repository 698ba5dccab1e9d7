/** Puts in words what a judgement knows: the estimate with its interval, how sure it is, where failed answers gather. */
import type { Comparison, Difference, Figures } from "./journal";
import { percent, thousands } from "./percent";

/** Less certainty than this is not worth a word. */
const WORTH_MENTIONING = 0.5;
/** Beyond this, digits mean nothing. */
const PRACTICALLY_SURE = 0.999;

/**
 * What a judgement knows, in phrases. Directors of version 0.1.0 report none of it.
 * @param counted the numbers of answers as text. A narrow screen cuts the end off, so what they mean comes first.
 */
export function describeKnown(comparison: Comparison, ...counted: readonly string[]): string[] {
  const { failed, confidence = 0, gathered, candidate } = comparison;
  return [
    ...(failed === undefined ? [] : [describeDifference(failed)]),
    ...counted,
    ...(confidence < WORTH_MENTIONING ? [] : [`${certainty(confidence)} sure that it is worse`]),
    ...(gathered === undefined || candidate.errors === 0 ? [] : [gathered]),
  ];
}

/** @returns the last judgement in one line; null if its director reports no estimate. */
export function describeComparison(comparison: Comparison): string | null {
  const { failed, weight, candidate, stable } = comparison;
  if (failed === undefined) return null;
  const count = ({ errors, requests }: Figures): string => `${thousands(errors)} of ${thousands(requests)}`;
  const counted = `${count(candidate)} answers failed, of stable's ${count(stable)}`;
  return `at ${weight} %: ${describeKnown(comparison, counted).join("; ")}`;
}

/** As in "0.4 % more failed answers than stable, at most 1.1 %". */
export function describeDifference({ estimate, low, high }: Difference): string {
  if (high < 0)
    return `${percent(-estimate)} fewer failed answers than stable (${percent(-high)} to ${percent(-low)})`;
  if (low > 0)
    return `${percent(estimate)} more failed answers than stable (${percent(low)} to ${percent(high)})`;
  if (percent(estimate) === percent(0))
    return `as many failed answers as stable, at most ${percent(high)} more`;
  if (estimate < 0)
    return `${percent(-estimate)} fewer failed answers than stable, at most ${percent(high)} more`;
  return `${percent(estimate)} more failed answers than stable, at most ${percent(high)}`;
}

function certainty(confidence: number): string {
  return confidence > PRACTICALLY_SURE ? "more than 99.9 %" : percent(Math.floor(1000 * confidence) / 1000);
}
