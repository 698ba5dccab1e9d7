/** A plan as text, and as JSON. */
import { formatSteps } from "../../release/plan-steps";
import { idOrNull, target } from "../../release/record";
import type { Colours } from "../terminal/colours";
import type { Planned } from "./planning";

const UNKNOWN = "not known: no receipt has the site's traffic yet";

/** Format 1 of `bluegreen plan --json`. */
export function planFacts({
  before,
  next,
  observed,
  traffic,
  detects,
  proof,
  notes,
  steps,
  warnings,
  permissions,
  rollback,
  token,
}: Planned) {
  return {
    formatVersion: 1,
    sequence: { from: before.sequence, to: next.sequence },
    stable: observed?.releaseId ?? null,
    live: observed?.live ?? null,
    candidate: idOrNull(target(next)),
    slot: next.active,
    goal: next.goal,
    traffic,
    // null if the site's traffic is not known.
    detects: detects === "unknown" ? null : detects,
    proof,
    notes,
    ...steps,
    permittedStrategies: permissions.strategies,
    migrations: permissions.words,
    rollback,
    warnings,
    token,
    // For an apply without this command, for example a Terraform Cloud run.
    record: next,
  };
}

export function formatPlan(planned: Planned, colours: Colours): string {
  const {
    before,
    next,
    observed,
    proof,
    notes,
    steps,
    warnings,
    permissions,
    rollback,
    token,
    traffic,
    detects,
  } = planned;
  const goal = typeof next.goal === "number" ? `${next.goal} %` : next.goal;
  const candidate = idOrNull(target(next)) ?? "nothing";
  return [
    colours.bold(
      `record ${before.sequence} -> ${next.sequence}: ${candidate} in ${next.active}, goal ${goal}; users have ${observed?.releaseId ?? "nothing"}`,
    ),
    `traffic    ${traffic}`,
    ...(detects === null ? [] : [`detects    ${detects === "unknown" ? UNKNOWN : detects.words}`]),
    `proof      ${proof}`,
    ...formatSteps(steps),
    ...notes.map((note) => `note       ${note}`),
    `database   ${permissions.words}`,
    `undo       ${rollback}`,
    ...warnings.map((warning) => colours.yellow(`warning    ${warning}`)),
    `token      ${token}`,
  ].join("\n");
}
