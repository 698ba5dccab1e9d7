/** A slow candidate is found, and a cold cache, a pause and what is allowed are not: from latencies alone. */
import { NOTHING } from "../../../../on-server/director/analysis";
import type { Sample } from "../../../../on-server/director/analysis";
import { Slowness } from "../../../../on-server/director/verdict/slowness";
import type { Recent } from "../../../../on-server/director/verdict/slowness";
import { analysisSettings, Strategy } from "../../../../release/schedule";

const LEAST_RATIO = 300;
/** From 20 to 210 ms: the 95th percentile is 200 ms, so the limit is 400 ms. */
const USUAL = Array.from({ length: 20 }, (_, index) => 20 + 10 * index);

const sample = (...milliseconds: number[]): Sample => {
  const latency: Record<number, number> = {};
  for (const each of milliseconds) latency[each] = (latency[each] ?? 0) + 1;
  return { requests: milliseconds.length, errors: 0, latency };
};
const times = (factor: number) => USUAL.map((each) => Math.round(factor * each));

/** A second each; the candidate gives twenty answers, so does stable. @returns in which it is found. */
function foundAfter(seconds: number, factorAt: (second: number) => number): number | null {
  const slowness = new Slowness(analysisSettings(Strategy.canary().analysis), (client) => client);
  slowness.addBefore(0, sample(...USUAL, ...USUAL, ...USUAL, ...USUAL));
  const candidate: Sample[] = [];
  for (let second = 0; second < seconds; second++) {
    candidate.push(sample(...times(factorAt(second))));
    slowness.add({ at: 1000 * second, weight: 50, candidate: candidate.at(-1)!, stable: sample(...USUAL) });
    const newest = candidate.at(-1)!;
    const recent: Recent = { interval: newest, newest, oldest: candidate.at(-9) ?? NOTHING };
    if (slowness.found(LEAST_RATIO, () => recent) !== null) return second;
  }
  return null;
}

test("three times slower: found soon after the grace, when it is no pause any more", () => {
  expect(foundAfter(60, () => 3)).toBeLessThanOrEqual(9);
});

test("equal: never found", () => {
  expect(foundAfter(60, () => 1)).toBeNull();
});

test("slower by less than maxLatencyRatio: allowed, however sure it is", () => {
  expect(foundAfter(60, () => 1.6)).toBeNull();
});

test("a cold cache of as many seconds as the grace: not found", () => {
  expect(foundAfter(60, (second) => (second < 5 ? 10 : 1))).toBeNull();
});

test("a pause of three seconds: not found", () => {
  expect(foundAfter(60, (second) => (second >= 20 && second < 23 ? 30 : 1))).toBeNull();
});
