/** A sequence's outcome, from Terraform's exit code and the directors' results. */
import { EXIT } from "../../release/exit-code";
import type { Action } from "../../release/receipt";
import type { Comparison, JournalEntry } from "../../release/journal";
import type { Goal, ReleaseRecord } from "../../release/record";
import { usersAnswers } from "../../release/users-answers";
import type { UsersAnswers } from "../../release/users-answers";
import type { LastLines } from "../project/candidate-logs";
import type { ApplyResult } from "../terraform/stack";
import { agreed } from "../proxies/proxies";
import type { Survey } from "../../release/taking-part";
import type { ProxyStatus, StepResult, Unfinished } from "../../release/director-status";

/** `from` and `to` are the proxies' stable releases before and after. */
export interface Deployment {
  readonly sequence: number;
  readonly goal: Goal;
  readonly from: string | null;
  readonly to: string | null;
  readonly outcome: string;
  readonly exitCode: number;
  readonly reason: string;
  readonly seconds: number;
  /** The figures of the last analysis; null without one. */
  readonly comparison: Comparison | null;
  /** Requests that still ran when the drain time was over, of all proxies. */
  readonly unfinished: readonly Unfinished[];
  /** The log files of a failed candidate's instances, on this machine. */
  readonly logs: readonly string[];
  /** What a failed candidate's instances wrote last, in this sequence. Absent if they wrote nothing, and before version 0.2.0. */
  readonly lastLines?: readonly LastLines[];
  /** The results of the command's synthetic requests; null if nothing was measured. */
  readonly requests: { readonly sent: number; readonly failed: number; readonly longestGapMs: number } | null;
  /** What all users got meanwhile, as the proxies counted; null if none did. Absent before version 0.2.0. */
  readonly users?: UsersAnswers | null;
  /** Steps with too few answers to judge, as in "5 %: only 12 answers". Absent before version 0.2.0. */
  readonly notJudged?: readonly string[];
  /** The receipt's file; null if this was not a new sequence, or it can't be written. */
  readonly receipt: string | null;
}

/** The outcome if no director reported one, for example after a failed install. */
const OUTCOME_BY_EXIT_CODE: Readonly<Record<number, string>> = {
  [EXIT.done]: "unchanged",
  [EXIT.unexpected]: "failed",
  [EXIT.badInput]: "refused",
  [EXIT.refused]: "refused",
  [EXIT.rejected]: "rejected",
  [EXIT.aborted]: "rolledBack",
  [EXIT.frozen]: "frozen",
};

/** @param survey of the proxies that took part. */
export function conclude(
  action: Action,
  record: ReleaseRecord,
  { statuses, silent }: Pick<Survey, "statuses" | "silent">,
  applied: ApplyResult,
): Omit<Deployment, "from" | "seconds" | "logs" | "lastLines" | "requests" | "receipt"> {
  const results = statuses.flatMap(({ state: { result } }) =>
    result?.sequence === record.sequence ? [result] : [],
  );
  const unreported = statuses.filter(({ state: { result } }) => result?.sequence !== record.sequence);
  const { outcome, exitCode, reason } = withLeftOut(
    record,
    concluded(record, applied, results, [...unreported, ...silent]),
  );
  const journals = statuses.map(({ proxy, state: { sequence, journal } }) => ({
    proxy,
    journal: sequence === record.sequence ? journal : [],
  }));
  return {
    sequence: record.sequence,
    goal: record.goal,
    to: agreed(statuses)?.releaseId ?? null,
    outcome: action === "rollback" && exitCode === 0 ? "rolledBack" : outcome,
    exitCode,
    reason,
    comparison: results.find(({ comparison }) => comparison)?.comparison ?? null,
    unfinished: statuses.flatMap(({ state }) => (state.sequence === record.sequence ? state.unfinished : [])),
    users: usersAnswers(journals),
    notJudged: journals.flatMap(({ journal }) => journal.flatMap(notJudged)),
  };
}

function notJudged(entry: JournalEntry): string[] {
  if (entry.event !== "judged" || entry.comparison.notJudged === undefined) return [];
  return [`${entry.comparison.weight} %: ${entry.comparison.notJudged}`];
}

/** A proxy that has no result of this record, or that can't be reached. */
type Unreported = Pick<ProxyStatus, "proxy">;

interface Conclusion {
  readonly outcome: string;
  readonly exitCode: number;
  readonly reason: string;
}

function concluded(
  record: ReleaseRecord,
  applied: ApplyResult,
  results: readonly StepResult[],
  unreported: readonly Unreported[],
): Conclusion {
  const everyoneReported = results.length > 0 && unreported.length === 0;
  if (applied.succeeded) return everyoneReported ? summarize(applied, results) : unknown(record, unreported);
  // All that failed is the removal of the steps of a proxy that is left out, which Azure refuses on a stopped machine.
  const onlyRemovals = record.leftOut !== undefined && everyoneReported && results.every(isDone);
  if (onlyRemovals) return summarize({ ...applied, succeeded: true, exitCode: EXIT.done }, results);
  // Where an install is rejected after a promotion, all have switched.
  const isKnown = everyoneReported || (applied.exitCode === EXIT.rejected && results.length > 0);
  const usersHaveIt = isKnown && results.every(isDone) && !applied.cutOff;
  return usersHaveIt ? afterwards(record, applied, results[0]!) : summarize(applied, results);
}

/** What failed after users had the release is no failure of the release: a person decides. */
function afterwards(
  { converge }: ReleaseRecord,
  { reasons }: ApplyResult,
  { reason }: StepResult,
): Conclusion {
  const what = converge === true ? "not everywhere" : "something else failed, and `bluegreen retry` goes on";
  return {
    outcome: "frozen",
    exitCode: EXIT.frozen,
    reason: `${reason}, but ${what}: ${reasons.join("; ")}`,
  };
}

/** Its last step was the switch (or what follows it), and it succeeded. */
function isDone({ exitCode, step }: StepResult): boolean {
  return exitCode === EXIT.done && (step === "switch" || step === "share");
}

/** Users of a proxy that is left out may get another release: a person decides. */
function withLeftOut({ leftOut = [] }: ReleaseRecord, conclusion: Conclusion): Conclusion {
  if (leftOut.length === 0 || conclusion.exitCode !== EXIT.done) return conclusion;
  const names = leftOut.join(", ");
  return {
    outcome: "frozen",
    exitCode: EXIT.frozen,
    reason: `${conclusion.reason}; ${names} did not answer and is behind: keep it away from users until it is back, then \`bluegreen retry\` brings it to this record`,
  };
}

function summarize(applied: ApplyResult, results: readonly StepResult[]): Conclusion {
  const { exitCode } = applied;
  const failed = results.find((result) => result.exitCode !== 0);
  if (!applied.succeeded) {
    const why = failed?.reason ?? applied.reasons.join("; ");
    // A director that was told to stop knows what users get; Terraform only knows of the signal.
    const knowsBetter = applied.cutOff && exitCode === EXIT.unexpected && failed !== undefined;
    if (knowsBetter) return { outcome: failed.outcome, exitCode: failed.exitCode, reason: why };
    return { outcome: OUTCOME_BY_EXIT_CODE[exitCode] ?? "failed", exitCode, reason: why };
  }
  // `share` follows converge; what changed for users is the promotion before it.
  const first = results[0]!;
  const outcome = first.outcome === "shared" ? "promoted" : first.outcome;
  return { outcome, exitCode, reason: first.reason };
}

/** Every sequence has a step on each proxy: without its result, Terraform's success does not prove what users get. */
function unknown({ sequence }: ReleaseRecord, unreported: readonly Unreported[]): Conclusion {
  const missing =
    unreported.length === 0
      ? "no proxy reported a result"
      : `no result from ${unreported.map(({ proxy }) => proxy).join(", ")}`;
  return {
    outcome: "failed",
    exitCode: EXIT.unexpected,
    reason: `Terraform succeeded, but ${missing} for record ${sequence}: check \`bluegreen status\`, then run \`bluegreen retry\``,
  };
}
