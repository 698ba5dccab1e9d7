/** What a sequence's end is called, where Terraform's exit alone would say something else. */
import { conclude } from "../../../cli/deployment/outcome";
import type { ProxyStatus } from "../../../release/director-status";
import { RECORD, status } from "../live/snapshots";

const PROMOTED = {
  ...{ step: "switch", sequence: 17, exitCode: 0, outcome: "promoted" as const, comparison: null },
  reason: "1.4.0-17 is live in green",
};
const FAILED = {
  ...{ succeeded: false, exitCode: 4, nothingWasApplied: false, cutOff: false, hooks: [] },
  reasons: ["1.4.0-17 did not become healthy on web-1 in 60 s"],
};

/** All proxies answer. */
const answers = (...statuses: ProxyStatus[]) => ({ statuses, silent: [] });

it("an install that fails when users have the new release already rejects nothing: a person decides", () => {
  const converging = status({ result: PROMOTED, stable: { slot: "green", releaseId: "1.4.0-17" } });
  expect(conclude("release", { ...RECORD, converge: true }, answers(converging), FAILED)).toMatchObject({
    exitCode: 6,
    outcome: "frozen",
    to: "1.4.0-17",
    reason: "1.4.0-17 is live in green, but not everywhere: 1.4.0-17 did not become healthy on web-1 in 60 s",
  });
});

it("what was killed meanwhile is neither rejected nor frozen, whatever users have", () => {
  const converging = status({ result: PROMOTED, stable: { slot: "green", releaseId: "1.4.0-17" } });
  const killed = { ...FAILED, exitCode: 1, cutOff: true, reasons: ["terraform was ended by SIGKILL"] };
  expect(conclude("release", { ...RECORD, converge: true }, answers(converging), killed)).toMatchObject({
    ...{ exitCode: 1, outcome: "failed", to: "1.4.0-17", reason: "terraform was ended by SIGKILL" },
  });
});

it("Terraform's success does not count without a result of each proxy", () => {
  const applied = { ...FAILED, succeeded: true, exitCode: 0, reasons: [] };
  const reported = status({ result: PROMOTED });
  const unreported = status({ result: { ...PROMOTED, sequence: 16 } });
  expect(conclude("release", RECORD, answers(reported), applied)).toMatchObject({
    exitCode: 0,
    outcome: "promoted",
  });
  for (const [statuses, missing] of [
    [[], "no proxy reported a result"],
    [[unreported], "no result from proxy-1"],
    [[reported, unreported], "no result from proxy-1"],
  ] as const) {
    expect(conclude("release", RECORD, answers(...statuses), applied)).toMatchObject({
      ...{ exitCode: 1, outcome: "failed" },
      reason: `Terraform succeeded, but ${missing} for record 17: check \`bluegreen status\`, then run \`bluegreen retry\``,
    });
  }
});

it("an install that fails before is a rejection", () => {
  expect(conclude("release", RECORD, answers(status()), FAILED)).toMatchObject({
    exitCode: 4,
    outcome: "rejected",
  });
  const before = status({ result: { ...PROMOTED, sequence: 16 } });
  expect(conclude("release", RECORD, answers(before), FAILED)).toMatchObject({
    exitCode: 4,
    to: "1.3.0-16",
  });
});

it("what fails after all users have the release is no failure of the release, and says that they have it", () => {
  const promoted = status({ result: PROMOTED, stable: { slot: "green", releaseId: "1.4.0-17" } });
  const later = { ...FAILED, exitCode: 1, reasons: ["Error when invoking action: mail failed"] };
  expect(conclude("release", RECORD, answers(promoted), later)).toMatchObject({
    ...{ exitCode: 6, outcome: "frozen", to: "1.4.0-17" },
    reason:
      "1.4.0-17 is live in green, but something else failed, and `bluegreen retry` goes on: Error when invoking action: mail failed",
  });
  // One proxy has only begun, so it is not known what all users get.
  const begun = status({ result: { ...PROMOTED, step: "begin", outcome: "begun", reason: "begun" } });
  expect(conclude("release", RECORD, answers(promoted, begun), later)).toMatchObject({
    exitCode: 1,
    outcome: "failed",
  });
  // Another one can't be reached, so its users may get what they got before.
  const silent = [{ proxy: "proxy-2", problem: "proxy-2: no answer" }];
  const lost = { ...later, exitCode: 6, reasons: ["proxy-2: no answer. Next: `bluegreen retry`"] };
  expect(conclude("release", RECORD, { statuses: [promoted], silent }, lost)).toMatchObject({
    ...{ exitCode: 6, outcome: "frozen", reason: "proxy-2: no answer. Next: `bluegreen retry`" },
  });
});

it("a director that was told to stop has the last word, not the signal that Terraform knows of", () => {
  const aborted = { ...PROMOTED, exitCode: 5, outcome: "rolledBack" as const, reason: "aborted by SIGTERM" };
  const killed = { ...FAILED, exitCode: 1, cutOff: true, reasons: ["the step was cut off (signal: killed)"] };
  expect(conclude("release", RECORD, answers(status({ result: aborted })), killed)).toMatchObject({
    ...{ exitCode: 5, outcome: "rolledBack", reason: "aborted by SIGTERM" },
  });
});
