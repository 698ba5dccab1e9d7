/** What became of a sequence: Terraform's exit, and what the directors said. */
import { EXIT } from "../../release/exit-code";
import type { Action } from "../../release/receipt";
import type { Comparison } from "../../release/journal";
import type { Goal, ReleaseRecord } from "../../release/record";
import type { ApplyResult } from "../terraform/stack";
import { agreed } from "../proxies/proxies";
import type { ProxyStatus, StepResult, Unfinished } from "../proxies/proxies";

/** `from` and `to` are what the proxies called stable before and after. */
export interface Deployment {
  readonly sequence: number;
  readonly goal: Goal;
  readonly from: string | null;
  readonly to: string | null;
  readonly outcome: string;
  readonly exitCode: number;
  readonly reason: string;
  readonly seconds: number;
  /** Where a candidate was judged under traffic: the figures of the last judgement. */
  readonly comparison: Comparison | null;
  /** What still ran when a drain's time was over, of all proxies. */
  readonly unfinished: readonly Unfinished[];
  /** Where the instances of a candidate that failed write, on this machine. */
  readonly logs: readonly string[];
  /** What the command's own requests met meanwhile; null where nothing was measured. */
  readonly requests: { readonly sent: number; readonly failed: number; readonly longestGapMs: number } | null;
  /** The file of the receipt; null where this was no sequence of its own. */
  readonly receipt: string | null;
}

/** What the directors say after a sequence without a shift; an install that failed says nothing there. */
const OUTCOME_BY_EXIT_CODE: Readonly<Record<number, string>> = {
  [EXIT.done]: "unchanged",
  [EXIT.unexpected]: "failed",
  [EXIT.badInput]: "refused",
  [EXIT.refused]: "refused",
  [EXIT.rejected]: "rejected",
  [EXIT.aborted]: "rolledBack",
  [EXIT.frozen]: "frozen",
};

export function conclude(
  action: Action,
  record: ReleaseRecord,
  statuses: readonly ProxyStatus[],
  applied: ApplyResult,
): Omit<Deployment, "from" | "seconds" | "logs" | "requests" | "receipt"> {
  const results = statuses.flatMap(({ state: { result } }) =>
    result?.sequence === record.sequence ? [result] : [],
  );
  const silent = statuses.filter(({ state: { result } }) => result?.sequence !== record.sequence);
  const { outcome, exitCode, reason } =
    applied.succeeded && (results.length === 0 || silent.length > 0)
      ? unknown(record, silent)
      : summarize(applied, results);
  return {
    sequence: record.sequence,
    goal: record.goal,
    to: agreed(statuses)?.releaseId ?? null,
    outcome: action === "rollback" && exitCode === 0 ? "rolledBack" : outcome,
    exitCode,
    reason,
    comparison: results.find(({ comparison }) => comparison)?.comparison ?? null,
    unfinished: statuses.flatMap(({ state }) => (state.sequence === record.sequence ? state.unfinished : [])),
  };
}

function summarize(
  applied: ApplyResult,
  results: readonly StepResult[],
): { outcome: string; exitCode: number; reason: string } {
  const { exitCode } = applied;
  const failed = results.find((result) => result.exitCode !== 0);
  if (!applied.succeeded) {
    const why = failed?.reason ?? applied.reasons.join("; ");
    const promoted = results.find(({ outcome }) => outcome === "promoted");
    if (exitCode === EXIT.rejected && failed === undefined && promoted !== undefined) {
      // A convergence's install: users have the new release already, so nothing was rejected.
      return {
        outcome: "frozen",
        exitCode: EXIT.frozen,
        reason: `${promoted.reason}, but not everywhere: ${why}`,
      };
    }
    return { outcome: OUTCOME_BY_EXIT_CODE[exitCode] ?? "failed", exitCode, reason: why };
  }
  // `share` is the last step of a convergence; the promotion before it is what happened to users.
  const first = results[0]!;
  const outcome = first.outcome === "shared" ? "promoted" : first.outcome;
  return { outcome, exitCode, reason: first.reason };
}

/** Every sequence has a step on each proxy: Terraform's success without its word is no proof of what users get. */
function unknown({ sequence }: ReleaseRecord, silent: readonly ProxyStatus[]) {
  const who =
    silent.length === 0 ? "no proxy says" : `${silent.map(({ proxy }) => proxy).join(", ")} can't say`;
  return {
    outcome: "failed",
    exitCode: EXIT.unexpected,
    reason: `Terraform ended well, but ${who} how record ${sequence} ended: look at \`bluegreen status\`, then \`bluegreen retry\``,
  };
}
