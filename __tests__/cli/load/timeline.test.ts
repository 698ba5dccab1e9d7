/** A long run in few points: what is added up, what stays apart, and that percentiles stay true. */
import { LatencyHistogram } from "../../../cli/load/histogram";
import { Timeline, type Period } from "../../../cli/load/timeline";

const BEGAN = Date.parse("2026-01-01T00:00:00Z");

/** Second number `index` of a run. */
function second(index: number, latencies: readonly number[], rest: Partial<Period> = {}): Period {
  const latency = new LatencyHistogram();
  for (const ms of latencies) latency.add(ms);
  return {
    beganAt: BEGAN + index * 1000,
    seconds: 1,
    sent: latencies.length,
    failed: 0,
    answers: latencies.length,
    versions: latencies.length === 0 ? {} : { "1.0.0-1": latencies.length },
    latency: latency.counts(),
    ...rest,
  };
}

const silence = (index: number): Period => second(index, [], { sent: 10 });

test("a run of 600 seconds has a point for each", () => {
  const timeline = new Timeline();
  for (let index = 0; index < 600; index += 1) timeline.add(second(index, [1, 2, 3]));
  expect(timeline.points()).toHaveLength(600);
  expect(timeline.points()[7]).toEqual({
    at: "2026-01-01T00:00:07.000Z",
    seconds: 1,
    sent: 3,
    failed: 0,
    versions: { "1.0.0-1": 3 },
    latencyMs: { p50: expect.closeTo(2, 1), p95: expect.closeTo(3, 1), p99: expect.closeTo(3, 1), max: 3 },
  });
});

test("a run of 100 minutes has 600, of about the same length, and loses no request and no second", () => {
  const timeline = new Timeline();
  for (let index = 0; index < 6_000; index += 1) {
    timeline.add(
      second(index, [5], index % 100 === 0 ? { failed: 1, versions: { "1.1.0-2": 1 } } : undefined),
    );
  }
  const points = timeline.points();
  expect(points).toHaveLength(600);
  const sum = (of: (point: (typeof points)[number]) => number) =>
    points.reduce((total, point) => total + of(point), 0);
  expect(sum(({ seconds }) => seconds)).toBe(6_000);
  expect(sum(({ sent }) => sent)).toBe(6_000);
  expect(sum(({ failed }) => failed)).toBe(60);
  expect(sum(({ versions }) => versions["1.0.0-1"] ?? 0)).toBe(5_940);
  expect(sum(({ versions }) => versions["1.1.0-2"] ?? 0)).toBe(60);
  expect(Math.max(...points.map(({ seconds }) => seconds))).toBeLessThanOrEqual(40);
});

test("an outage of a second is still a point of its own after 100 minutes", () => {
  const timeline = new Timeline();
  for (let index = 0; index < 6_000; index += 1) {
    timeline.add(index === 4_000 ? silence(index) : second(index, [5]));
  }
  const quiet = timeline.points().filter(({ versions }) => Object.keys(versions).length === 0);
  expect(quiet).toMatchObject([{ at: new Date(BEGAN + 4_000_000).toISOString(), seconds: 1, sent: 10 }]);
});

test("a run in which every other second is silent stays below the limit too", () => {
  const timeline = new Timeline();
  for (let index = 0; index < 3_000; index += 1) {
    timeline.add(index % 2 === 0 ? silence(index) : second(index, [5]));
  }
  expect(timeline.points()).toHaveLength(600);
});

test("the percentiles of a merged period are those of all its answers", () => {
  const timeline = new Timeline();
  const all: number[] = [];
  for (let index = 0; index < 1_200; index += 1) {
    // Two neighbours that are nothing like their average.
    const latencies = index % 2 === 0 ? Array.from({ length: 99 }, () => 10) : [1_000];
    all.push(...latencies);
    timeline.add(second(index, latencies));
  }
  for (const { seconds, latencyMs } of timeline.points()) {
    if (seconds !== 2) continue;
    expect(latencyMs).toEqual({
      p50: expect.closeTo(10, 0),
      p95: expect.closeTo(10, 0),
      p99: expect.closeTo(10, 0),
      max: 1_000,
    });
  }
  expect(timeline.points().filter(({ seconds }) => seconds === 2).length).toBeGreaterThan(500);
});

test("the short rest at the end belongs to the second before it, unless one of them is silent", () => {
  const rest: Partial<Period> = { seconds: 0.1 };
  const even = new Timeline();
  for (const period of [second(0, [5, 5]), second(1, [5], rest)]) even.add(period);
  expect(even.points()).toMatchObject([{ seconds: 1.1, sent: 3 }]);

  const recovered = new Timeline();
  for (const period of [silence(0), second(1, [5], rest)]) recovered.add(period);
  expect(recovered.points()).toMatchObject([
    { seconds: 1, sent: 10, versions: {} },
    { seconds: 0.1, sent: 1 },
  ]);
});
