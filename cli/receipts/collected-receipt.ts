/**
 * The receipt of a sequence that ended without this command: applied by `cdktf deploy` or in a Terraform Cloud run, or
 * with a command that was killed. What the directors kept is all that is known, and `who` is not.
 */
import { healedServers, scheduleOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { Receipt } from "../../release/receipt";
import type { Project } from "../project/project";
import { agreed } from "../proxies/proxies";
import type { ProxyStatus } from "../proxies/proxies";
import { hasReceipt, writeReceipt } from "./receipt-store";

const NOBODY_KNOWN = { user: "unknown", host: "unknown", ci: null };

/** Writes it where there is none yet, and the sequence has ended. @returns its file, or null. */
export function collectReceipt(
  project: Project,
  record: ReleaseRecord,
  statuses: readonly ProxyStatus[],
): string | null {
  const ended = statuses.filter(
    ({ state }) =>
      state.sequence === record.sequence && state.finished && state.result?.sequence === record.sequence,
  );
  if (ended.length === 0 || ended.length < statuses.length || hasReceipt(project, record.sequence))
    return null;
  const results = ended.map(({ state }) => state.result!);
  const told = results.find(({ exitCode }) => exitCode !== 0) ?? results[0]!;
  const stable = agreed(statuses)?.releaseId ?? null;
  const succeeded = told.exitCode === 0;
  return writeReceipt(project, {
    formatVersion: 1,
    application: record.application,
    environment: project.environment.name,
    sequence: record.sequence,
    action: actionOf(record),
    who: NOBODY_KNOWN,
    ...times(ended),
    from: succeeded ? null : stable,
    to: stable,
    outcome: told.outcome === "shared" ? "promoted" : told.outcome,
    exitCode: told.exitCode,
    reason: told.reason,
    goal: record.goal,
    schedule: scheduleOf(record, project.environment),
    record: { before: null, after: record },
    plan: null,
    proxies: ended.map(({ proxy, state }) => ({ proxy, journal: [...(state.journal ?? [])] })),
    requests: null,
    notMeasured: "it was applied without this command, or the command was killed",
    hooks: [],
    warnings: [],
    freezeOverride: null,
  });
}

/** A record says what shall run, not what somebody called it: a rollback reads as a release. */
function actionOf(record: ReleaseRecord): Receipt["action"] {
  if (healedServers(record).length > 0) return "heal";
  return record.goal === "staged" ? "stage" : "release";
}

/** From the first to the last entry of the journals; where they are empty nobody knows better than now. */
function times(ended: readonly ProxyStatus[]): Pick<Receipt, "startedAt" | "endedAt" | "seconds"> {
  const known = ended.flatMap(({ state }) => (state.journal ?? []).map(({ at }) => at));
  const [first, last] =
    known.length === 0 ? [Date.now(), Date.now()] : [Math.min(...known), Math.max(...known)];
  const iso = (at: number): string => new Date(at).toISOString();
  return { startedAt: iso(first), endedAt: iso(last), seconds: (last - first) / 1000 };
}
