/** What an operator is warned of before a plan is approved. */
import { returnWarning } from "../../configuration/advice";
import { retry, rollback } from "../../release/transitions";
import { Strategy } from "../../release/schedule";
import { recordOf } from "../release/examples";

/** 2.0.0 is live in green, 1.0.0 still runs in blue. */
const RECORD = recordOf();
const NEW = { live: "green", releaseId: "2.0.0-2", serving: ["green"] } as const;
const INTENT = { environmentSchedule: Strategy.blueGreen() };
const OLD = { live: "blue", releaseId: "1.0.0-1", serving: ["blue"] } as const;

test("a rollback right after a rollback gives users the release again that they were rolled back from", () => {
  const first = rollback(RECORD, NEW, INTENT);
  expect(returnWarning(RECORD, first)).toBeNull();
  const second = rollback(first, OLD, INTENT);
  expect(returnWarning(first, second)).toBe(
    "the last sequence was a rollback from 2.0.0-2: this one gives it to users again",
  );
});

test("a retry of the rollback does not", () => {
  const first = rollback(RECORD, NEW, INTENT);
  const again = retry(first, NEW, false);
  expect(again.rollsBack).toBe(true);
  expect(returnWarning(first, again)).toBeNull();
});
