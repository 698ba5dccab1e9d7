/** What all users got during a sequence: the sum over the proxies, and when it is known that nothing rose. */
import type { JournalEntry } from "../../release/journal";
import { describeUsersAnswers, didNotRise, usersAnswers } from "../../release/users-answers";

type Users = Extract<JournalEntry, { event: "users" }>;

const BEFORE = { answers: 10_000, failed: 31, seconds: 100, age: 0 };

function counted(changes: Partial<Users> = {}): Users {
  return {
    ...{ at: 1, event: "users", answers: 2_000, failed: 6, seconds: 95.4, before: BEFORE, worse: false },
    ...changes,
  };
}

/** Users of a candidate that was rolled back, at 5 % of the requests. */
const FOUND_WORSE: JournalEntry = {
  ...{ at: 1, event: "judged", verdict: "fail" },
  comparison: {
    candidate: { requests: 50, errors: 10, p95Ms: 20 },
    stable: { requests: 950, errors: 19, p95Ms: 20 },
    ...{ weight: 5, seconds: 5 },
  },
};

type Journals = readonly (readonly JournalEntry[])[];

function of(...journals: Journals) {
  return usersAnswers(journals.map((journal, index) => ({ proxy: `proxy-${index + 1}`, journal })));
}

test("all proxies' answers are one sum", () => {
  expect(of([counted()], [counted({ answers: 500, failed: 4, seconds: 90 })])).toEqual({
    ...{ answers: 2_500, failed: 10, seconds: 95.4, worse: false, foundWorse: false, uncounted: [] },
    before: { ...BEFORE, answers: 20_000, failed: 62 },
  });
});

test("worse on one proxy is worse, also if a step that ran again found nothing more", () => {
  expect(of([counted()], [counted({ worse: true })])).toMatchObject({ worse: true });
  expect(of([counted({ worse: true }), counted({ answers: 5, failed: 0 })])).toMatchObject({
    ...{ worse: true, answers: 5 },
  });
});

test("nothing is known without an entry: directors of version 0.1.0 write none", () => {
  expect(of()).toBeNull();
  expect(of([{ at: 1, event: "drained", slot: "blue", running: 0, cut: false }])).toBeNull();
});

describe("that nothing rose is known", () => {
  test.each<[boolean, string, Journals]>([
    [true, "each proxy counted, before as well", [[counted()], [counted()]]],
    [
      true,
      "a proxy without users had nothing to count",
      [[counted()], [counted({ answers: 0, failed: 0, before: null })]],
    ],
    [true, "none failed", [[counted({ failed: 0, before: null })]]],
    [false, "failed answers rose", [[counted({ worse: true })]]],
    [false, "a candidate was rolled back", [[counted(), FOUND_WORSE]]],
    [false, "a proxy did not count", [[counted()], []]],
    [false, "a proxy has no figures from before", [[counted()], [counted({ before: null })]]],
    [false, "nothing was answered before", [[counted({ before: { ...BEFORE, answers: 0, failed: 0 } })]]],
    [false, "all counted, and had no answers", [[counted({ answers: 0, failed: 0 })]]],
    [false, "nobody counted", [[]]],
  ])("%s: %s", (known, _, journals) => {
    expect(didNotRise(of(...journals))).toBe(known);
  });
});

test.each<[string, Journals]>([
  ["6 of 2,000 answers to users failed in 95 s (0.3 %), before 0.31 %", [[counted()]]],
  [
    "users' failed answers rose: 1,222 of 2,076 in 95 s (58.9 %), before 0.31 %",
    [[counted({ answers: 2_076, failed: 1_222, worse: true })]],
  ],
  [
    "6 of 2,000 answers to users failed in 95 s (0.3 %); how many failed before is not known",
    [[counted({ before: null })]],
  ],
  [
    "6 of 2,000 answers to users failed in 95 s (0.3 %), before 0.31 %; not counted on proxy-2, proxy-3",
    [[counted()], [], []],
  ],
  [
    "6 of 2,000 answers to users failed in 95 s (0.3 %), before 0.31 %, 3 h earlier",
    [[counted({ before: { ...BEFORE, age: 10_800 } })]],
  ],
  ["no answers to users were counted in 95 s", [[counted({ answers: 0, failed: 0 })]]],
  ["users' answers were not counted", [[]]],
])("%s", (words, journals) => {
  expect(describeUsersAnswers(of(...journals))).toBe(words);
});
