/** Which results break a step's promise. */
import type { StepRequests } from "../../../cli/load/messages";
import { brokenPromises } from "../../../cli/rehearsal/results";
import { scenariosOf, USUAL_PACE } from "../../../cli/rehearsal/scenarios";
import type { ScenarioStep } from "../../../cli/rehearsal/scenarios";
import { mayLoseSessions } from "../../../cli/rehearsal/sessions";

const STEPS = scenariosOf(USUAL_PACE, true).flatMap(({ steps }) => steps);

const requests: StepRequests = {
  ...{ sent: 900, failed: 0, failures: {}, versions: {}, badAnswers: {}, longestGapMs: 20 },
  ...{ latencyMs: { p50: 2, p95: 5, p99: 9, max: 20 }, durationMs: 6_000, startedLateMs: 1 },
};

function broken(step: ScenarioStep, changes: Partial<StepRequests>): string[] {
  return brokenPromises(step, {
    ...{ outcome: step.expect.outcome, exitCode: step.expect.exitCode, to: "1.1.0-2", downMs: 500 },
    ...{ expectedVersion: "1.1.0", version: step.version },
    requests: { ...requests, ...changes },
  });
}

test.each(STEPS.map((step) => [step.name, step] as const))("%s: as measured", (_, step) => {
  expect(broken(step, {})).toEqual([]);
  expect(broken(step, { sessions: { begun: 40, completed: 30, lost: 0 } })).toEqual([]);
});

test.each(STEPS.map((step) => [step.name, step] as const))("%s: with 3 lost sessions", (_, step) => {
  const kept = ["rejected", "staged", "paused"].includes(step.expect.outcome);
  expect(mayLoseSessions(step.expect.outcome)).toBe(!kept);
  expect(broken(step, { sessions: { begun: 40, completed: 30, lost: 3 } })).toEqual(
    kept ? ["3 sessions were lost, in a step that moves no user"] : [],
  );
});

test("a step that keeps sessions is among them", () => {
  expect(STEPS.filter(({ expect: { outcome } }) => !mayLoseSessions(outcome)).length).toBe(3);
});
