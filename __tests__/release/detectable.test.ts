/** What a schedule can detect at a site's traffic, checked by simulated releases; and how a plan puts it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { detectable } from "../../release/detectable";
import type { DetectableStep, SiteTraffic } from "../../release/detectable";
import { describeDetectable } from "../../release/detectable-words";
import type { JournalEntry } from "../../release/journal";
import { Strategy } from "../../release/schedule";
import type { Schedule } from "../../release/schedule";
import { measuredTraffic } from "../../release/site-traffic";

const LADDER = [1 / 1000, 1 / 500, 1 / 200, 1 / 100, 1 / 50, 1 / 20, 1 / 10, 1 / 5, 1 / 2, 1];
const RUNS = 100;

/** Uniform numbers from 0 to 1, the same ones for a seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A release, answer by answer, as the rule of docs/traffic.md judges it. @returns the step that caught it, or -1. */
function caughtAt(
  schedule: Schedule,
  { requestsPerSecond, errorRatio }: SiteTraffic,
  more: number,
  seed: number,
  until: number,
): number {
  const next = random(seed);
  const failing = errorRatio + (1 - errorRatio) * more;
  const all = { answers: 0, failed: 0 };
  const sides = { ours: { answers: 0, failed: 0 }, theirs: { answers: 0, failed: 0 } };
  const silent = new Map<string, number>();
  const clients = 10 * requestsPerSecond;
  let [now, begun] = [-30, 0];
  for (const [index, weight] of [0, ...schedule.steps.slice(0, until + 1)].entries()) {
    const seconds = index === 0 ? 30 : weight === 100 ? schedule.bakeSeconds : schedule.stepSeconds;
    for (begun = now; now < begun + seconds; now -= Math.log(1 - next()) / requestsPerSecond) {
      const client = Math.floor(next() * clients);
      const isOurs = (100 * client) / clients < weight;
      const [side, ratio] = isOurs ? [sides.ours, failing] : [sides.theirs, errorRatio];
      const fails = next() < ratio;
      all.answers += isOurs ? 1 : 0;
      all.failed += isOurs && fails ? 1 : 0;
      if (all.failed >= 3 && all.failed === all.answers) return index - 1;
      const name = `${client} ${isOurs}`;
      if (now - (silent.get(name) ?? -Infinity) < 30) continue;
      side.answers += 1;
      if (!fails) continue;
      side.failed += 1;
      silent.set(name, now);
      if (isOurs && isWorse(sides.ours, sides.theirs, schedule)) return index - 1;
    }
    now = begun + seconds;
  }
  return -1;
}

type Side = { readonly answers: number; readonly failed: number };

function isWorse(ours: Side, theirs: Side, { analysis }: Schedule): boolean {
  const failed = ours.failed - 1;
  if (failed / ours.answers - theirs.failed / theirs.answers <= analysis.maxErrorRatio) return false;
  const usual = ours.answers / (ours.answers + theirs.answers);
  const ratios = [1.5, 2, 3, 5, 10, 30, 100].map((times) => {
    const worse = (times * ours.answers) / (times * ours.answers + theirs.answers);
    return Math.exp(failed * Math.log(worse / usual) + theirs.failed * Math.log((1 - worse) / (1 - usual)));
  });
  return ratios.reduce((sum, each) => sum + each) / ratios.length >= 1 / (0.35 * 0.01);
}

function part(schedule: Schedule, traffic: SiteTraffic, more: number, step: number): number {
  const runs = Array.from({ length: RUNS }, (_, seed) =>
    caughtAt(schedule, traffic, more, 1000 * step + seed, step),
  );
  return runs.filter((at) => at >= 0).length / RUNS;
}

describe.each<[string, Schedule, SiteTraffic]>([
  ["a canary at 20/s without errors", Strategy.canary(), { requestsPerSecond: 20, errorRatio: 0 }],
  ["a canary at 20/s, 1 % fail", Strategy.canary(), { requestsPerSecond: 20, errorRatio: 0.01 }],
  ["a canary at 5/s, 5 % fail", Strategy.canary(), { requestsPerSecond: 5, errorRatio: 0.05 }],
  ["blue/green at 20/s, 1 % fail", Strategy.blueGreen(), { requestsPerSecond: 20, errorRatio: 0.01 }],
])("%s", (_, schedule, traffic) => {
  const steps = detectable(schedule, traffic);

  test.each(steps.map((each, index) => [each.weight, each, index] as const))(
    "by the end of %i %, what it promises is caught, and what fails a fifth as often is not promised for nothing",
    (_weight, { caught }, index) => {
      if (caught === null) return expect(part(schedule, traffic, 1, index)).toBeLessThan(0.99);
      // Of 100 runs of something with 99 %, fewer than 95 are caught once in 2,000 times.
      expect(part(schedule, traffic, caught, index)).toBeGreaterThanOrEqual(0.95);
      const far = LADDER[LADDER.indexOf(caught) - 2];
      if (far !== undefined) expect(part(schedule, traffic, far, index)).toBeLessThan(0.99);
    },
  );
});

test("more traffic, more time and a larger chance of false rollbacks detect more; more errors of stable less", () => {
  const last = (schedule: Schedule, requestsPerSecond: number, errorRatio: number): number =>
    detectable(schedule, { requestsPerSecond, errorRatio }).at(-1)!.caught ?? 2;
  const usual = last(Strategy.canary(), 20, 0.01);
  expect(last(Strategy.canary(), 200, 0.01)).toBeLessThan(usual);
  expect(last(Strategy.canary({ stepSeconds: 600, bakeSeconds: 600 }), 20, 0.01)).toBeLessThan(usual);
  expect(last(Strategy.canary(), 20, 0.1)).toBeGreaterThan(usual);
  const rate = (falseRollbackRate: number) => Strategy.canary({ analysis: { falseRollbackRate } });
  expect(last(rate(0.000001), 20, 0)).toBeGreaterThan(last(rate(0.01), 20, 0));
});

test("docs/traffic.md has this table", () => {
  const page = readFileSync(join(__dirname, "../../docs/traffic.md"), "utf8");
  const rows = [...page.matchAll(/^\| (\d+) \| ([\d.]+) % \| (.*) \|$/gm)];
  expect(rows.length).toBeGreaterThan(5);
  for (const [row, requests, ratio, cells] of rows) {
    const traffic = { requestsPerSecond: Number(requests), errorRatio: Number(ratio) / 100 };
    const caught = detectable(Strategy.canary(), traffic).map(({ caught: part }) =>
      part === null ? "-" : part === 1 ? "all" : `1 in ${Math.round(1 / part)}`,
    );
    expect([row, cells]).toEqual([row, caught.join(" | ")]);
  }
});

test("what is allowed is never caught", () => {
  const schedule = Strategy.canary({ analysis: { maxErrorRatio: 0.3 } });
  for (const { caught } of detectable(schedule, { requestsPerSecond: 10_000, errorRatio: 0.001 }))
    expect(caught).toBe(0.5);
});

test("without traffic nothing is caught, and a large site takes no longer to compute", () => {
  const at = (requestsPerSecond: number) =>
    detectable(Strategy.canary(), { requestsPerSecond, errorRatio: 0.001 }).map(({ caught }) => caught);
  expect(at(0.001)).toEqual([null, null, null, null]);
  expect(at(100_000)).toEqual([0.005, 0.005, 0.005, 0.005]);
});

describe("a plan's words", () => {
  const step = (weight: number, caught: number | null): DetectableStep => ({ weight, seconds: 60, caught });
  const steps = [step(5, 0.1), step(25, 0.02), step(50, 0.02), step(100, 0.01)];

  test.each<[string, SiteTraffic, readonly DetectableStep[]]>([
    [
      "at 20 requests/s and 5 % for 60 s: a release that fails every 10th answer is caught with 99 %; one that fails every 50th answer not before 25 %; one that fails every 100th answer not before 100 %; one that fails less often may pass",
      { requestsPerSecond: 20.2, errorRatio: 0 },
      steps,
    ],
    [
      "at 0.26 requests/s (0.31 % fail with stable) and 5 % for 60 s: users' answers are too few to catch even a release that always fails; one that always fails not before 50 %; one that fails less often may pass",
      { requestsPerSecond: 0.256, errorRatio: 0.0031 },
      [step(5, null), step(50, 1)],
    ],
    [
      "at 1 requests/s and 100 % for 60 s: users' answers are too few to catch even a release that always fails",
      { requestsPerSecond: 1, errorRatio: 0 },
      [step(100, null)],
    ],
  ])("%s", (words, traffic, all) => {
    expect(describeDetectable(traffic, all)).toBe(words);
  });

  test("with affinity, a weight is no share of the requests", () => {
    const traffic = { requestsPerSecond: 20, errorRatio: 0 };
    expect(describeDetectable(traffic, steps, true)).toBe(
      `${describeDetectable(traffic, steps)}; weights are of new clients: those that stay on stable's servers ask nothing of the candidate, so it may detect less`,
    );
  });
});

describe("the site's traffic", () => {
  const users = (answers: number, failed: number): JournalEntry => ({
    ...{ at: 1, event: "users", answers, failed: answers, seconds: 100, worse: true },
    before: { answers: 1_000, failed, seconds: 0.3, age: 0 },
  });
  const judged = (weight: number): JournalEntry => ({
    ...{ at: 1, event: "judged", verdict: "pass" },
    comparison: {
      candidate: { requests: 500, errors: 100, p95Ms: 1 },
      stable: { requests: 900, errors: 9, p95Ms: 1 },
      ...{ weight, seconds: 60 },
    },
  });
  const receipt = (...journal: JournalEntry[]) => ({ proxies: [{ proxy: "proxy-1", journal }] });

  test("is what users asked during the last three releases that counted, and what failed before", () => {
    const receipts = [
      receipt(users(3_000, 30)),
      receipt(),
      receipt(users(1_000, 0)),
      receipt(users(2_000, 0)),
    ];
    expect(measuredTraffic([...receipts, receipt(users(90_000, 9))], "proxy-1")).toEqual({
      requestsPerSecond: 20,
      errorRatio: 0.01,
    });
  });

  test("is what stable got beside a candidate, in receipts of version 0.1.0", () => {
    const traffic = measuredTraffic([receipt(judged(25), judged(100))], "proxy-1");
    expect(traffic).toEqual({ requestsPerSecond: 20, errorRatio: 0.01 });
  });

  test("is not known without receipts, and of another proxy", () => {
    expect(measuredTraffic([], "proxy-1")).toBeNull();
    expect(measuredTraffic([receipt(judged(100))], "proxy-1")).toBeNull();
    expect(measuredTraffic([receipt(users(10, 1))], "proxy-2")).toBeNull();
  });
});
