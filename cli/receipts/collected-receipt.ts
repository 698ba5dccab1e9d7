/**
 * The receipt of a sequence that ended without this command: applied by `cdktf deploy` or in a Terraform Cloud run, or
 * with a command that was killed. What the directors kept is all that is known, and `who` is not.
 */
import { EXIT } from "../../release/exit-code";
import { healedServers, scheduleOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { Receipt } from "../../release/receipt";
import type { Project } from "../project/project";
import { agreed } from "../proxies/proxies";
import type { ProxyStatus } from "../proxies/proxies";
import { hasReceipt, readReceipt, writeReceipt } from "./receipt-store";

const NOBODY_KNOWN = { user: "unknown", host: "unknown", ci: null };

/**
 * A director may outlive the command or its Terraform, which were killed: what it did after the receipt was written is
 * added, because the next sequence begins a new journal. @returns the receipt's file, or null where it lacks nothing.
 */
export function completeReceipt(
  project: Project,
  { sequence }: ReleaseRecord,
  statuses: readonly ProxyStatus[],
): string | null {
  if (!hasReceipt(project, sequence)) return null;
  const known = statuses.flatMap(({ proxy, state }) =>
    state.sequence === sequence ? [{ proxy, journal: [...state.journal] }] : [],
  );
  const receipt = readReceipt(project, sequence);
  const kept = (proxy: string) => receipt.proxies.find((each) => each.proxy === proxy);
  const grown = known.filter(({ proxy, journal }) => journal.length > (kept(proxy)?.journal.length ?? 0));
  if (grown.length === 0) return null;
  const others = receipt.proxies.filter(({ proxy }) => !grown.some((each) => each.proxy === proxy));
  const proxies = [...others, ...grown].sort((one, other) => one.proxy.localeCompare(other.proxy));
  return writeReceipt(project, { ...receipt, proxies });
}

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
  return writeCollected(project, record, statuses, {
    ...told,
    outcome: told.outcome === "shared" ? "promoted" : told.outcome,
  });
}

/**
 * For a sequence that was begun and did not come to its end: what worked on it was killed. Once nobody works on it any
 * more, and before the next sequence begins a new journal. @returns its file, or null where there is one or none is due.
 */
export function collectInterrupted(
  project: Project,
  record: ReleaseRecord,
  statuses: readonly ProxyStatus[],
): string | null {
  const begun = statuses.filter(({ state }) => state.sequence === record.sequence);
  if (begun.length === 0 || hasReceipt(project, record.sequence)) return null;
  return writeCollected(project, record, begun, {
    outcome: "interrupted",
    exitCode: EXIT.unexpected,
    reason: "it did not come to its end: the command, or what it had started, was killed",
  });
}

function writeCollected(
  project: Project,
  record: ReleaseRecord,
  statuses: readonly ProxyStatus[],
  { outcome, exitCode, reason }: Pick<Receipt, "outcome" | "exitCode" | "reason">,
): string {
  const stable = agreed(statuses)?.releaseId ?? null;
  return writeReceipt(project, {
    formatVersion: 1,
    application: record.application,
    environment: project.environment.name,
    sequence: record.sequence,
    action: actionOf(record),
    who: NOBODY_KNOWN,
    ...times(statuses),
    from: exitCode === 0 ? null : stable,
    to: stable,
    ...{ outcome, exitCode, reason },
    goal: record.goal,
    schedule: scheduleOf(record, project.environment),
    record: { before: null, after: record },
    plan: null,
    proxies: statuses.map(({ proxy, state }) => ({ proxy, journal: [...state.journal] })),
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
  if (record.resolve !== undefined) return "resolve";
  return record.goal === "staged" ? "stage" : "release";
}

/** From the first to the last entry of the journals; where they are empty nobody knows better than now. */
function times(ended: readonly ProxyStatus[]): Pick<Receipt, "startedAt" | "endedAt" | "seconds"> {
  const known = ended.flatMap(({ state }) => state.journal.map(({ at }) => at));
  const [first, last] =
    known.length === 0 ? [Date.now(), Date.now()] : [Math.min(...known), Math.max(...known)];
  const iso = (at: number): string => new Date(at).toISOString();
  return { startedAt: iso(first), endedAt: iso(last), seconds: (last - first) / 1000 };
}
