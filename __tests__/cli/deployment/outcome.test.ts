/** What a sequence's end is called, where Terraform's exit alone would say something else. */
import { conclude } from "../../../cli/deployment/outcome";
import { RECORD, status } from "../live/snapshots";

const PROMOTED = {
  ...{ step: "switch", sequence: 17, exitCode: 0, outcome: "promoted" as const, comparison: null },
  reason: "1.4.0-17 is live in green",
};
const FAILED = {
  ...{ succeeded: false, exitCode: 4, nothingWasApplied: false, hooks: [] },
  reasons: ["1.4.0-17 did not become healthy on web-1 in 60 s"],
};

it("an install that fails when users have the new release already rejects nothing: a person decides", () => {
  const converging = status({ result: PROMOTED, stable: { slot: "green", releaseId: "1.4.0-17" } });
  expect(conclude("release", { ...RECORD, converge: true }, [converging], FAILED)).toMatchObject({
    exitCode: 6,
    outcome: "frozen",
    to: "1.4.0-17",
    reason: "1.4.0-17 is live in green, but not everywhere: 1.4.0-17 did not become healthy on web-1 in 60 s",
  });
});

it("what was killed meanwhile is neither rejected nor frozen, whatever users have", () => {
  const converging = status({ result: PROMOTED, stable: { slot: "green", releaseId: "1.4.0-17" } });
  const killed = { ...FAILED, exitCode: 1, reasons: ["terraform was ended by SIGKILL"] };
  expect(conclude("release", { ...RECORD, converge: true }, [converging], killed)).toMatchObject({
    ...{ exitCode: 1, outcome: "failed", to: "1.4.0-17", reason: "terraform was ended by SIGKILL" },
  });
});

it("Terraform's success is none where a proxy has not said how the sequence ended", () => {
  const applied = { ...FAILED, succeeded: true, exitCode: 0, reasons: [] };
  const said = status({ result: PROMOTED });
  const silent = status({ result: { ...PROMOTED, sequence: 16 } });
  expect(conclude("release", RECORD, [said], applied)).toMatchObject({ exitCode: 0, outcome: "promoted" });
  for (const [statuses, who] of [
    [[], "no proxy says"],
    [[silent], "proxy-1 can't say"],
    [[said, silent], "proxy-1 can't say"],
  ] as const) {
    expect(conclude("release", RECORD, statuses, applied)).toMatchObject({
      ...{ exitCode: 1, outcome: "failed" },
      reason: `Terraform ended well, but ${who} how record 17 ended: look at \`bluegreen status\`, then \`bluegreen retry\``,
    });
  }
});

it("an install that fails before is a rejection", () => {
  expect(conclude("release", RECORD, [status()], FAILED)).toMatchObject({ exitCode: 4, outcome: "rejected" });
  const before = status({ result: { ...PROMOTED, sequence: 16 } });
  expect(conclude("release", RECORD, [before], FAILED)).toMatchObject({ exitCode: 4, to: "1.3.0-16" });
});
