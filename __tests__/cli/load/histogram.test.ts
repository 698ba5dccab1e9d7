/** The latencies of a rehearsal: how exact they are, and that they cost no memory. */
import { LatencyHistogram } from "../../../cli/load/histogram";

test("an empty histogram is all zeros", () => {
  const histogram = new LatencyHistogram();
  expect([histogram.percentile(50), histogram.percentile(99), histogram.max]).toEqual([0, 0, 0]);
});

test("every percentile is within 1 % of the sorted list's, from microseconds to minutes", () => {
  const values = Array.from({ length: 20_000 }, (_, index) => 0.02 * 1.0008 ** index);
  const histogram = new LatencyHistogram();
  for (const value of [...values].reverse()) histogram.add(value);
  for (const percent of [1, 50, 90, 95, 99, 99.9]) {
    const exact = values[Math.ceil((percent / 100) * values.length) - 1] ?? NaN;
    expect(Math.abs(histogram.percentile(percent) / exact - 1)).toBeLessThan(0.01);
  }
});

test("the largest value is exact, and no percentile exceeds it", () => {
  const histogram = new LatencyHistogram();
  histogram.add(1234.5);
  expect(histogram.max).toBe(1234.5);
  expect(histogram.percentile(99)).toBeLessThanOrEqual(1234.5);
});

test("zero and values below the scale count as the smallest", () => {
  const histogram = new LatencyHistogram();
  histogram.add(0);
  histogram.add(0.001);
  histogram.add(50);
  expect(histogram.percentile(50)).toBeLessThan(0.02);
});

test("two that were sent from another process are one of both", () => {
  const [first, second, both] = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()];
  for (let ms = 1; ms <= 1_000; ms += 1) {
    (ms % 3 === 0 ? first : second).add(ms);
    both.add(ms);
  }
  const sent = JSON.parse(JSON.stringify([first.counts(), second.counts()])) as [
    ReturnType<LatencyHistogram["counts"]>,
    ReturnType<LatencyHistogram["counts"]>,
  ];
  expect(LatencyHistogram.of(...sent).counts()).toEqual(both.counts());
  expect(LatencyHistogram.of(...sent).summary()).toEqual(both.summary());
});
