/** What a judgement knows, in words: on screen, in receipts and in reports. */
import { describeComparison, describeDifference } from "../../release/comparison-words";
import { Comparison } from "../../release/journal";
import type { JournalEntry } from "../../release/journal";
import { describeEntry } from "../../release/journal-words";

const COUNTED: Comparison = {
  candidate: { requests: 900, errors: 31, p95Ms: 12 },
  stable: { requests: 2_700, errors: 9, p95Ms: 11 },
  ...{ weight: 25, seconds: 60 },
};
const ESTIMATED: Comparison = {
  ...COUNTED,
  failed: { estimate: 0.031, low: 0.018, high: 0.049 },
  confidence: 0.99994,
};

const judged = (verdict: "pass" | "fail", comparison: Comparison): JournalEntry => ({
  ...{ at: 1, event: "judged", verdict, comparison },
});

test.each([
  [0.004, -0.003, 0.011, "0.4 % more failed answers than stable, at most 1.1 %"],
  [0, -0.01, 0.011, "as many failed answers as stable, at most 1.1 % more"],
  [-0.002, -0.01, 0.003, "0.2 % fewer failed answers than stable, at most 0.3 % more"],
  [0.031, 0.018, 0.049, "3.1 % more failed answers than stable (1.8 % to 4.9 %)"],
  [-0.1, -0.15, -0.05, "10 % fewer failed answers than stable (5 % to 15 %)"],
  [0.00004, -0.00002, 0.00009, "< 0.01 % more failed answers than stable, at most < 0.01 %"],
])("a difference of %d, between %d and %d: %s", (estimate, low, high, words) => {
  expect(describeDifference({ estimate, low, high })).toBe(words);
});

test.each<[JournalEntry, string]>([
  [
    judged("fail", { ...ESTIMATED, gathered: "29 of 31 failed answers came from web-2" }),
    "25 % went badly: 3.1 % more failed answers than stable (1.8 % to 4.9 %); candidate 31 of 900 failed, p95 12 ms; stable 9 of 2700 failed, p95 11 ms; more than 99.9 % sure that it is worse; 29 of 31 failed answers came from web-2",
  ],
  [
    judged("pass", { ...COUNTED, failed: { estimate: 0.004, low: -0.003, high: 0.011 }, confidence: 0.4 }),
    "25 % went well: 0.4 % more failed answers than stable, at most 1.1 %; candidate 31 of 900 failed, p95 12 ms; stable 9 of 2700 failed, p95 11 ms",
  ],
  [
    judged("pass", { ...COUNTED, confidence: 0.9149 }),
    "25 % went well: candidate 31 of 900 failed, p95 12 ms; stable 9 of 2700 failed, p95 11 ms; 91.4 % sure that it is worse",
  ],
  [
    judged("pass", { ...COUNTED, notJudged: "only 12 answers" }),
    "25 % was not judged: only 12 answers; candidate 31 of 900 failed, p95 12 ms; stable 9 of 2700 failed, p95 11 ms",
  ],
  [
    judged("fail", { ...COUNTED, notJudged: "only 12 answers" }),
    "25 % ended, as it can't be judged: only 12 answers; candidate 31 of 900 failed, p95 12 ms; stable 9 of 2700 failed, p95 11 ms",
  ],
])("%j", (entry, words) => {
  expect(describeEntry(entry)).toBe(words);
});

test("the closing lines have the last judgement in one line, if it has an estimate", () => {
  expect(describeComparison(ESTIMATED)).toBe(
    "at 25 %: 3.1 % more failed answers than stable (1.8 % to 4.9 %); 31 of 900 answers failed, of stable's 9 of 2,700; more than 99.9 % sure that it is worse",
  );
  expect(describeComparison(COUNTED)).toBeNull();
});

test("a director of version 0.1.0 reports no estimate, and is read", () => {
  const { weight, ...old } = COUNTED;
  expect(Comparison.parse({ ...old, share: weight })).toEqual(COUNTED);
});
