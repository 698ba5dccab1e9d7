/** Which results break a step's promise. */
import type { StepRequests } from "../../../cli/load/messages";
import { brokenPromises } from "../../../cli/rehearsal/results";
import { scenariosOf, USUAL_PACE } from "../../../cli/rehearsal/scenarios";
import type { Scenario, ScenarioStep } from "../../../cli/rehearsal/scenarios";
import { mayLoseSessions, sessionsOf } from "../../../cli/rehearsal/sessions";

const SCENARIOS = scenariosOf(USUAL_PACE, true);
const STEPS = SCENARIOS.flatMap((scenario) =>
  scenario.steps.map((step) => [`${scenario.name}, ${step.name}`, step, scenario] as const),
);

const requests: StepRequests = {
  ...{ sent: 900, failed: 0, failures: {}, versions: {}, badAnswers: {}, longestGapMs: 20 },
  ...{ latencyMs: { p50: 2, p95: 5, p99: 9, max: 20 }, durationMs: 6_000, startedLateMs: 1 },
};

function broken(step: ScenarioStep, scenario: Scenario, lost: number): string[] {
  return brokenPromises(step, {
    ...{ outcome: step.expect.outcome, exitCode: step.expect.exitCode, to: "1.1.0-2", downMs: 500 },
    ...{ expectedVersion: "1.1.0", version: step.version },
    mayLoseSessions: mayLoseSessions(step, scenario),
    requests: { ...requests, sessions: { begun: 40, completed: 30, lost } },
  });
}

test.each(STEPS)("%s: no session is lost", (_, step, scenario) => {
  expect(broken(step, scenario, 0)).toEqual([]);
});

test("steps that may lose sessions: all that move users where sessions do not drain, else recreates", () => {
  const costs = Object.fromEntries(
    SCENARIOS.map((scenario) => [
      scenario.name,
      scenario.steps.filter((step) => broken(step, scenario, 3).length === 0).map(({ name }) => name),
    ]),
  );
  expect(costs).toEqual({
    split: expect.not.arrayContaining(["a release that never becomes healthy"]),
    "side-by-side": ["recreate, requests held", "recreate, with a page"],
  });
  expect(costs["split"]).toHaveLength(10);
  const [split, sideBySide] = SCENARIOS;
  expect(sessionsOf(split!)).not.toHaveProperty("drain");
  expect(sessionsOf(sideBySide!)).toHaveProperty("drain.idleSeconds", 5);
});

test("a broken promise is in the step's results", () => {
  const [, step, scenario] = STEPS.find(([name]) => name === "side-by-side, canary in steps")!;
  expect(broken(step, scenario, 3)).toEqual(["3 sessions were lost, in a step that moves no user at once"]);
});

test("a candidate that fails takes its users' sessions along, also where they drain", () => {
  const [, , sideBySide] = STEPS.find(([, , { name }]) => name === "side-by-side")!;
  const failing = STEPS.find(([, { expect }]) => expect.exitCode === 5)![1];
  expect(mayLoseSessions(failing, sideBySide)).toBe(true);
});
