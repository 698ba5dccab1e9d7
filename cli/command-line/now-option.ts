/** `--now`: a sequence that does not wait for clients that are still active on an older release. */
import { drains } from "../../configuration/sessions";
import type { EndSessions } from "../../release/record";
import type { Operation } from "../deployment/operation";
import type { Project } from "../project/project";

export const NOW = [
  "--now",
  "don't wait for clients that are still active on an older release: end their sessions (sessions.drain)",
] as const;

export interface NowOptions {
  readonly now?: boolean;
}

/** @param which sessions end with the option; nothing to end where sessions do not drain. */
export function endingSessions(
  operation: Operation,
  { environment }: Project,
  { now }: NowOptions,
  which: EndSessions = "replaced",
): Operation {
  return now === true && drains(environment) ? { ...operation, endSessions: which } : operation;
}
