/**
 * Sessions in the memory of the rehearsed application: how the environments keep them, and after which outcomes users may
 * have lost theirs.
 */
import type { SessionCounts } from "../../release/receipt";
import type { Outcome } from "./scenarios";

/** In each environment. */
export const SESSIONS = {
  affinity: "server",
  // What programs ask for.
  withoutCookie: ["/api/", "/version"],
} as const;

/** The load reports its users' addresses as a balancer on this machine would: otherwise all have one, and meet one server. */
export const BALANCERS = ["127.0.0.1"];

/** Where the users of the live release keep their server. */
const NO_USER_MOVES: readonly Outcome[] = ["rejected", "staged", "paused"];

/** Whether a release with this outcome moves users to servers that do not know them. */
export function mayLoseSessions(outcome: Outcome): boolean {
  return !NO_USER_MOVES.includes(outcome);
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
