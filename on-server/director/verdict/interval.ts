/**
 * Between which values the difference of two ratios is, with 95 % confidence however often one looks: from a confidence
 * sequence for each ratio, a mixture of binomial likelihoods over all ratios (Robbins 1970). Pure.
 */
import type { Difference } from "../../../release/journal";
import { logGamma } from "../../../release/log-gamma";
import { ratio } from "../../../release/sequential-test";
import type { Side } from "../../../release/sequential-test";

/** Each of the two sequences misses with half of 5 %. */
const LOG_LIMIT = Math.log(2 / 0.05);
const DIGITS = 1e5;

export function difference(candidate: Side, stable: Side): Difference {
  const [ours, theirs] = [bounds(candidate), bounds(stable)];
  return {
    estimate: rounded(ratio(candidate) - ratio(stable)),
    low: rounded(ours.low - theirs.high),
    high: rounded(ours.high - theirs.low),
  };
}

/** All ratios whose likelihood is not too small beside the mixture's. */
function bounds({ trials, events }: Side): { readonly low: number; readonly high: number } {
  if (trials === 0) return { low: 0, high: 1 };
  const misses = trials - events;
  const mixture = logGamma(events + 1) + logGamma(misses + 1) - logGamma(trials + 2);
  const isIn = (each: number) => {
    const likelihood = events * Math.log(each) + (events === trials ? 0 : misses * Math.log(1 - each));
    return mixture - likelihood < LOG_LIMIT;
  };
  const middle = Math.min(1 - 1e-9, Math.max(1e-9, events / trials));
  return {
    low: events === 0 ? 0 : border(middle, 1e-12, isIn),
    high: events === trials ? 1 : border(middle, 1 - 1e-12, isIn),
  };
}

function border(inside: number, outside: number, isIn: (each: number) => boolean): number {
  let [near, far] = [inside, outside];
  for (let step = 0; step < 40; step++) {
    const middle = (near + far) / 2;
    if (isIn(middle)) near = middle;
    else far = middle;
  }
  return near;
}

function rounded(number: number): number {
  return Math.round(number * DIGITS) / DIGITS;
}
