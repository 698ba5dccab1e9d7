/** The counts of a period, on a test clock. */
import { Account, type Outcome } from "../../../cli/load/account";

const good: Outcome = { failure: null, status: 200, code: null, releaseId: "1.0.0-1" };

test("counts failures by kind, answers by release, and bad answers by the release that gave them", () => {
  const account = new Account(0);
  const outcomes: Outcome[] = [
    good,
    good,
    { failure: "status 500", status: 500, code: null, releaseId: "1.1.0-2" },
    { failure: "status 503", status: 503, code: null, releaseId: null },
    { failure: "connection ECONNRESET", status: null, code: "ECONNRESET", releaseId: null },
  ];
  for (const outcome of outcomes) {
    account.started(0.5);
    account.settled(outcome, 10);
  }
  account.end(1000);
  expect(account.counts()).toMatchObject({
    sent: 5,
    failed: 3,
    failures: { "status 500": 1, "status 503": 1, "connection ECONNRESET": 1 },
    versions: { "1.0.0-1": 2, "1.1.0-2": 1 },
    badAnswers: { "1.1.0-2": 1, unknown: 1 },
    durationMs: 1000,
    startedLateMs: 0.5,
  });
});

test("the longest gap is between two good answers", () => {
  const account = new Account(0);
  for (const at of [10, 20, 900, 990]) account.succeeded(at);
  account.end(1000);
  expect(account.counts().longestGapMs).toBe(880);
});

test("the longest gap may begin with the step or end with it", () => {
  const late = new Account(100);
  for (const at of [700, 750, 800]) late.succeeded(at);
  late.end(850);
  expect(late.counts().longestGapMs).toBe(600);

  const early = new Account(100);
  early.succeeded(150);
  early.end(850);
  expect(early.counts().longestGapMs).toBe(700);
});

test("a step without any good answer is one gap", () => {
  const account = new Account(100);
  account.end(850);
  expect(account.counts().longestGapMs).toBe(750);
});

test("a good answer after the end does not change the gap", () => {
  const account = new Account(0);
  account.succeeded(500);
  account.end(600);
  account.succeeded(5000);
  expect(account.counts().longestGapMs).toBe(500);
});

test("latency is that of answers and time-outs, not of lost connections, which would flatter it", () => {
  const account = new Account(0);
  account.started(0);
  account.settled(good, 100);
  for (let refused = 0; refused < 10; refused += 1) {
    account.started(0);
    account.settled(
      { failure: "connection ECONNREFUSED", status: null, code: "ECONNREFUSED", releaseId: null },
      1,
    );
  }
  account.started(0);
  account.settled({ failure: "time limit", status: null, code: null, releaseId: null }, 10_000);
  const { latencyMs } = account.counts();
  expect(latencyMs.p50).toBeGreaterThan(98);
  expect(latencyMs.max).toBe(10_000);
});

test("is complete once it has ended and all that was due in it has", () => {
  const account = new Account(0);
  account.started(0);
  expect(account.isComplete).toBe(false);
  account.end(10);
  expect(account.isComplete).toBe(false);
  account.settled(good, 20);
  expect(account.isComplete).toBe(true);
});
