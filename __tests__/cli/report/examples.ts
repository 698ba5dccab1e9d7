/** Receipts and a results for the tests of the reports: a canary release of some ninety seconds, and what differs. */
import type { JournalEntry } from "../../../release/journal";
import type { MeasuredRequests, Receipt, TimelinePoint } from "../../../release/receipt";
import type { RehearsalResults, RehearsedStep } from "../../../cli/rehearsal/results";
import { resolveSchedule } from "../../../release/schedule";
import { recordOf } from "../../release/examples";

export const BEGIN = Date.parse("2026-07-03T15:13:10.000Z");
const RATE = 150;
const SHARES = [
  [25, 5],
  [45, 25],
  [65, 50],
  [85, 100],
] as const;
const SECONDS = 92;

const iso = (second: number): string => new Date(BEGIN + 1000 * second).toISOString();

/** One second in which the candidate answers this weight, and some requests get no answer. */
function pointAt(second: number, weight: number, failed = 0): TimelinePoint {
  const candidate = Math.round(((RATE - failed) * weight) / 100);
  const wave = 1 + 0.25 * Math.sin(second / 3);
  const versions = { "1.0.0-1": RATE - failed - candidate, "2.0.0-2": candidate };
  return {
    at: iso(second),
    seconds: 1,
    sent: RATE,
    failed,
    versions: Object.fromEntries(Object.entries(versions).filter(([, answers]) => answers > 0)),
    latencyMs: { p50: 2.1 * wave, p95: 6.4 * wave, p99: 14 * wave ** 3, max: 40 * wave ** 3 },
  };
}

const weightAt = (second: number): number => SHARES.findLast(([from]) => second >= from)?.[1] ?? 0;

export function timelineOf(failedAt: Readonly<Record<number, number>> = {}): TimelinePoint[] {
  return Array.from({ length: SECONDS }, (_, second) =>
    pointAt(second, weightAt(second), failedAt[second] ?? 0),
  );
}

const comparison = (weight: number): Extract<JournalEntry, { event: "judged" }>["comparison"] => ({
  candidate: { requests: Math.round(28.5 * weight), errors: 0, p95Ms: 6.9 },
  stable: { requests: Math.round(28.5 * (100 - weight)), errors: 0, p95Ms: 6.4 },
  weight,
  seconds: 19,
});

export const JOURNAL: readonly JournalEntry[] = [
  { at: BEGIN + 24_200, event: "verified", slot: "green", releaseId: "2.0.0-2", endpoints: 2, seconds: 1.3 },
  ...SHARES.flatMap(([from, weight]): JournalEntry[] => [
    { at: BEGIN + 1000 * from, event: "traffic", live: "blue", weight, mode: "serve" },
    {
      at: BEGIN + 1000 * (weight === 100 ? from + 5 : from + 19.5),
      event: "judged",
      verdict: "pass",
      comparison: comparison(weight),
    },
  ]),
  { at: BEGIN + 90_600, event: "drained", slot: "blue", running: 0, cut: false },
];

/** What all users got from a proxy: 31 failed answers, as many as before. */
export function usersEntry(
  changes: Partial<Extract<JournalEntry, { event: "users" }>> = {},
): Extract<JournalEntry, { event: "users" }> {
  return {
    ...{ at: BEGIN + 91_000, event: "users", answers: 10_342, failed: 31, seconds: 92, worse: false },
    before: { answers: 10_100, failed: 31, seconds: 90, age: 0 },
    ...changes,
  };
}

export function requestsOf(changes: Partial<MeasuredRequests> = {}): MeasuredRequests {
  return {
    origin: "http://127.0.0.1:18080",
    rate: RATE,
    sent: RATE * SECONDS,
    failed: 0,
    failures: {},
    longestGapMs: 31.2,
    versions: { "1.0.0-1": 10_330, "2.0.0-2": 3_470 },
    latencyMs: { p50: 2.1, p95: 6.5, p99: 17.2, max: 78.1 },
    acknowledged: 2_760,
    found: 2_760,
    timeline: timelineOf(),
    ...changes,
  };
}

export function receiptOf(changes: Partial<Receipt> = {}): Receipt {
  const before = recordOf({ sequence: 1, active: "blue", previous: null });
  return {
    formatVersion: 1,
    application: "socialgoal",
    environment: "production",
    sequence: 2,
    action: "release",
    who: { user: "maria", host: "ops-1", ci: { name: "GitHub Actions", run: "8123" } },
    startedAt: iso(0),
    endedAt: iso(SECONDS),
    seconds: SECONDS,
    from: "1.0.0-1",
    to: "2.0.0-2",
    outcome: "promoted",
    exitCode: 0,
    reason: "2.0.0-2 is live in green, 1.0.0-1 is kept in blue",
    goal: "live",
    schedule: resolveSchedule({ strategy: "canary", stepSeconds: 20, bakeSeconds: 5 }),
    record: {
      before: { ...before, slots: { ...before.slots, green: null } },
      after: recordOf(),
    },
    plan: {
      live: "blue",
      proof: "1.0.0-1 in blue is not touched (2 install steps are no-ops)",
      changes: [
        { address: "terraform_data.begin", actions: ["create", "delete"] },
        { address: "terraform_data.install-green-web-1", actions: ["create", "delete"] },
        { address: "terraform_data.install-green-web-2", actions: ["create", "delete"] },
        { address: "terraform_data.switch-proxy-1", actions: ["create", "delete"] },
      ],
      token: "2-5f0c1a9e",
    },
    proxies: [{ proxy: "proxy-1", journal: [...JOURNAL] }],
    requests: requestsOf(),
    notMeasured: null,
    hooks: [
      { when: "before shift", name: "smoke", exitCode: 0, seconds: 2.4, lastLine: "14 checks passed" },
      { when: "after promote", name: "tell-the-chat", exitCode: 0, seconds: 0.3, lastLine: "posted" },
    ],
    warnings: ["bakeSeconds is 5: a candidate that turns bad later is not taken back by itself"],
    freezeOverride: { window: "Friday evening", reason: "security fix, agreed with Ines" },
    ...changes,
  };
}

function stepOf(changes: Partial<RehearsedStep>): RehearsedStep {
  return {
    name: "blue/green",
    scenario: "split",
    strategy: "blueGreen",
    from: "1.0.0-1",
    to: "2.0.0-2",
    outcome: "promoted",
    exitCode: 0,
    startedAt: iso(20),
    endedAt: iso(60),
    seconds: 40,
    tolerance: "none",
    requests: {
      sent: 6_000,
      failed: 0,
      failures: {},
      longestGapMs: 31.2,
      versions: { "1.0.0-1": 3_000, "2.0.0-2": 3_000 },
      latencyMs: { p50: 2.1, p95: 6.5, p99: 17.2, max: 78.1 },
    },
    broken: [],
    ...changes,
  };
}

const NO_REQUESTS = { sent: 0, failed: 0, failures: {}, longestGapMs: 0, versions: {}, latencyMs: null };

export function resultsOf(changes: Partial<RehearsalResults> = {}): RehearsalResults {
  return {
    formatVersion: 1,
    driver: "haproxy",
    terraform: "1.11.4",
    startedAt: iso(-3),
    endedAt: iso(SECONDS + 1),
    scenarios: [
      {
        name: "split",
        title: "two servers, blue on one and green on the other",
        slots: { "1.0.0-1": "blue", "2.0.0-2": "green" },
        timeline: timelineOf({ 70: 12, 71: 8 }),
      },
    ],
    steps: [
      stepOf({
        name: "first deployment",
        from: null,
        to: "1.0.0-1",
        outcome: "installed",
        startedAt: iso(-2),
        endedAt: iso(0),
        seconds: 2,
        requests: NO_REQUESTS,
      }),
      stepOf({}),
      stepOf({
        name: "recreate, with a page",
        strategy: "recreate",
        outcome: "recreated",
        from: "2.0.0-2",
        to: "2.0.1-3",
        startedAt: iso(66),
        endedAt: iso(80),
        seconds: 14,
        tolerance: "whileDown",
        requests: { ...stepOf({}).requests, sent: 2_100, failed: 20, failures: { "status 503": 20 } },
      }),
    ],
    totals: { sent: RATE * SECONDS, failed: 20, acknowledged: 2_760, found: 2_760 },
    passed: true,
    ...changes,
  };
}
