/**
 * Sessions in the memory of the rehearsed application: how the environments keep them, and which steps may cost users theirs.
 */
import { EXIT } from "../../release/exit-code";
import type { SessionCounts } from "../../release/receipt";
import type { Outcome, Scenario, ScenarioStep } from "./scenarios";

/** In each environment. */
export const AFFINITY = {
  affinity: "server",
  // What programs ask for.
  withoutCookie: ["/api/", "/version"],
} as const;

/** Users of forms think for a second and a half at most: a busy machine may take some seconds more. */
const DRAIN = { idleSeconds: 5, atMostSeconds: 30 };

/** The load reports its users' addresses as a balancer on this machine would: otherwise all have one, and meet one server. */
export const BALANCERS = ["127.0.0.1"];

/** The environment's `sessions`. Draining and a convergence exclude each other. */
export function sessionsOf(scenario: Scenario): object {
  return drains(scenario) ? { ...AFFINITY, drain: DRAIN } : AFFINITY;
}

function drains({ steps }: Scenario): boolean {
  return steps.every(({ schedule }) => schedule.afterPromotion !== "converge");
}

/** Where the users of the live release keep their server. */
const NO_USER_MOVES: readonly Outcome[] = ["rejected", "staged", "paused"];

/** Whether a step moves users at once to servers that do not know them. */
export function mayLoseSessions(
  { expect: { outcome, exitCode } }: ScenarioStep,
  scenario: Scenario,
): boolean {
  if (NO_USER_MOVES.includes(outcome)) return false;
  return !drains(scenario) || outcome === "recreated" || exitCode !== EXIT.done;
}

export function addSessions(
  one: SessionCounts | undefined,
  other: SessionCounts | undefined,
): SessionCounts | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    begun: one.begun + other.begun,
    completed: one.completed + other.completed,
    lost: one.lost + other.lost,
  };
}
