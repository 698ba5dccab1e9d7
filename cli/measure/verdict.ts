/** Decides whether users noticed a command, and formats the result. Pure. */
import type { MeasuredRequests, MeasureReceipt } from "../../release/receipt";
import type { Colours } from "../terminal/colours";

export type MeasureOutcome = Pick<MeasureReceipt, "outcome" | "exitCode" | "reason">;

/** The command's exit code wins: nothing may hide its failure. Without figures the outcome is "unknown". */
export function judgeCommand(
  commandExitCode: number,
  allowedFailures: number,
  { requests, notMeasured }: Pick<MeasureReceipt, "requests" | "notMeasured">,
): MeasureOutcome {
  const noticed = requests === null ? `not measured: ${notMeasured}` : describeFailures(requests);
  if (commandExitCode !== 0) {
    const reason = `the command ended with exit code ${commandExitCode}; ${noticed}`;
    return { outcome: "commandFailed", exitCode: commandExitCode, reason };
  }
  if (requests === null) return { outcome: "unknown", exitCode: 1, reason: noticed };
  if (requests.sent === 0)
    return { outcome: "unknown", exitCode: 1, reason: "no request was due: raise --rate" };
  if (failures(requests) > allowedFailures) {
    const allowed = allowedFailures === 0 ? "none is allowed" : `${allowedFailures} are allowed`;
    return { outcome: "noticed", exitCode: 1, reason: `${noticed}; ${allowed}` };
  }
  return { outcome: "unnoticed", exitCode: 0, reason: noticed };
}

/** For stderr, below the command's output. */
export function formatSummary(receipt: MeasureReceipt, colours: Colours): string {
  const { requests, outcome, reason, seconds, exitCode } = receipt;
  const mark = exitCode === 0 ? colours.green("✔") : colours.red("✖");
  const title = `${mark} ${outcome === "commandFailed" ? "" : `${outcome}: `}${reason}`;
  if (requests === null) return title;
  const { latencyMs, versions, acknowledged, found, sessions, origin, rate } = requests;
  const counts = Object.entries(versions).map(([id, count]) => `${id} (${count})`);
  return [
    title,
    `  load      ${origin}, ${rate} requests/s; the command took ${seconds.toFixed(1)} s`,
    `  latency   p50 ${latencyMs.p50}, p95 ${latencyMs.p95}, p99 ${latencyMs.p99}, longest ${latencyMs.max} ms`,
    `  versions  ${counts.length === 0 ? "not read from the answers" : counts.join(", ")}`,
    ...(acknowledged === 0 ? [] : [`  rows      ${acknowledged} acknowledged, ${found} found`]),
    ...(sessions === undefined
      ? []
      : [`  sessions  ${sessions.begun} begun, ${sessions.completed} completed, ${sessions.lost} lost`]),
  ].join("\n");
}

function describeFailures({
  sent,
  failed,
  failures,
  longestGapMs,
  acknowledged,
  found,
  sessions,
}: MeasuredRequests): string {
  const kinds = Object.entries(failures)
    .sort(([, one], [, other]) => other - one)
    .map(([kind, count]) => `${count} ${kind}`);
  const lost = acknowledged - found;
  return [
    `${failed} of ${sent} requests failed`,
    failed === 0 ? "" : ` (${kinds.join(", ")})`,
    lost === 0 ? "" : `, ${lost} of ${acknowledged} acknowledged POSTs are gone`,
    (sessions?.lost ?? 0) === 0 ? "" : `, ${sessions?.lost} of ${sessions?.begun} sessions are lost`,
    `, longest gap ${Math.round(longestGapMs)} ms`,
  ].join("");
}

/** A lost row or session is at least as bad as a lost answer. */
function failures({ failed, acknowledged, found, sessions }: MeasuredRequests): number {
  return failed + (acknowledged - found) + (sessions?.lost ?? 0);
}
