/** Answers that were counted: differences, sums and figures. */
import { between, figures, together } from "../../../on-server/director/analysis";
import type { Sample } from "../../../on-server/director/analysis";
import { latencyClass } from "../../../on-server/director/drivers/driver";

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
