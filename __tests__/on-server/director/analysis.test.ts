/** What a candidate is told apart by, from counts alone. */
import {
  between,
  figures,
  judgeAmount,
  judgeErrors,
  judgeLatency,
  together,
} from "../../../on-server/director/analysis";
import type { Sample } from "../../../on-server/director/analysis";
import { latencyClass } from "../../../on-server/director/drivers/driver";
import { Strategy } from "../../../release/schedule";

const { analysis } = Strategy.canary({
  analysis: { minimumRequests: 20, maxErrorRatio: 0.02, maxLatencyRatio: 2, latencySlackMs: 10 },
});

const sample = (requests: number, errors = 0, milliseconds = 5): Sample => ({
  requests,
  errors,
  latency: { [milliseconds]: requests },
});
const counts = (requests: number, errors: number, latency: Record<number, number>) => ({
  requests,
  errors,
  latency,
  inFlight: 0,
  endpoints: [],
});

test.each<[string, Sample, Sample, string]>([
  ["as many errors as stable", sample(100, 10), sample(100, 10), "pass"],
  ["a few more than stable", sample(100, 12), sample(100, 10), "pass"],
  ["many more than stable", sample(100, 13), sample(100, 10), "fail"],
  ["two errors, which may be chance", sample(2, 2), sample(100), "pass"],
  ["three of three", sample(3, 3), sample(100), "fail"],
  ["fewer errors than a bad stable", sample(100, 40), sample(100, 90), "pass"],
  ["errors where stable has no requests", sample(100, 3), sample(0), "fail"],
])("errors: %s", (_, candidate, stable, verdict) => {
  expect(judgeErrors(candidate, stable, analysis).verdict).toBe(verdict);
});

test("a reason names the figures", () => {
  expect(judgeErrors(sample(40, 8), sample(1000, 1), analysis)).toMatchObject({
    reason: "8 of 40 answers failed (20.0 %), stable 0.1 %, allowed 2.0 % more",
  });
  expect(judgeLatency(sample(40, 0, 64), sample(40), analysis)).toMatchObject({
    reason: "p95 latency 64 ms, stable 5 ms, allowed 15 ms",
  });
});

test.each<[string, Sample, Sample, string]>([
  ["as fast as stable", sample(50), sample(50), "pass"],
  ["slower by less than the slack", sample(50, 0, 14), sample(50), "pass"],
  ["twice as slow", sample(50, 0, 60), sample(50, 0, 30), "pass"],
  ["more than twice as slow", sample(50, 0, 62), sample(50, 0, 30), "fail"],
  ["slow in one answer of twenty-five", together(sample(48), sample(2, 0, 992)), sample(50), "pass"],
  ["slow in one answer of ten", together(sample(45), sample(5, 0, 992)), sample(50), "fail"],
  ["slow, with too few answers to know", sample(19, 0, 992), sample(50), "inconclusive"],
  ["slow, with too few of stable's", sample(50, 0, 992), sample(19), "inconclusive"],
  ["nothing at all", sample(0), sample(0), "inconclusive"],
])("latency: %s", (_, candidate, stable, verdict) => {
  expect(judgeLatency(candidate, stable, analysis).verdict).toBe(verdict);
});

test("fewer answers than the minimum prove nothing, however good they are", () => {
  expect(judgeAmount(sample(19), analysis)).toEqual({
    verdict: "inconclusive",
    reason: "only 19 answers, minimumRequests is 20",
  });
  expect(judgeAmount(sample(20), analysis).verdict).toBe("pass");
});

test("what is counted between two looks; a proxy that was restarted counts from nothing", () => {
  const before = counts(100, 4, { 5: 90, 80: 10 });
  expect(between(before, counts(150, 5, { 5: 130, 80: 10, 96: 10 }))).toEqual({
    requests: 50,
    errors: 1,
    latency: { 5: 40, 96: 10 },
  });
  expect(between(before, counts(7, 1, { 5: 7 }))).toEqual({ requests: 7, errors: 1, latency: { 5: 7 } });
});

test("the 95th percentile is that of the slowest of twenty answers", () => {
  expect(figures(together(sample(19), sample(1, 0, 992))).p95Ms).toBe(5);
  expect(figures(together(sample(18), sample(2, 0, 992))).p95Ms).toBe(992);
  expect(figures(sample(0)).p95Ms).toBeNull();
});

test.each([
  [0, 0],
  [0.9, 0],
  [63.9, 63],
  [64, 64],
  [79, 64],
  [80, 80],
  [1023, 1008],
  [1024, 1024],
  [1279, 1024],
  [59_999, 59_904],
  [10_000_000, 59_904],
  [-1, 0],
])("%d ms are counted as %d", (milliseconds, expected) => {
  expect(latencyClass(milliseconds)).toBe(expected);
});
