/**
 * The receipt of a sequence that ended without this command: applied by `cdktf deploy` or a Terraform Cloud run, or the
 * command was killed. It has what the directors' journals show; `who` is unknown.
 */
import { EXIT } from "../../release/exit-code";
import { healedServers, scheduleOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { Receipt } from "../../release/receipt";
import type { Project } from "../project/project";
import { agreed } from "../proxies/proxies";
import type { ProxyStatus } from "../../release/director-status";
import { hasReceipt, readReceipt, writeReceipt } from "./receipt-store";

export const UNKNOWN_PERSON = { user: "unknown", host: "unknown", ci: null };

/**
 * Adds journal entries that are newer than the receipt: a director may outlive a killed command or Terraform, and the
 * next sequence begins a new journal. @returns the receipt's file, or null if it is complete.
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

/** Writes the receipt if the sequence has ended and has none. @returns its file, or null. */
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
  const reported = results.find(({ exitCode }) => exitCode !== 0) ?? results[0]!;
  return writeCollected(project, record, statuses, {
    ...reported,
    outcome: reported.outcome === "shared" ? "promoted" : reported.outcome,
  });
}

/**
 * Writes the receipt of an interrupted sequence. Call it when no apply of the sequence runs any more, and before the
 * next sequence begins a new journal. @returns its file, or null if there is one or the sequence did not begin.
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
    reason: "the command, or a process that it started, was killed",
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
    who: UNKNOWN_PERSON,
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

/** Guessed from the record, which does not name the command: a rollback looks like a release. */
function actionOf(record: ReleaseRecord): Receipt["action"] {
  if (healedServers(record).length > 0) return "heal";
  if (record.resolve !== undefined) return "resolve";
  return record.goal === "staged" ? "stage" : "release";
}

/** From the journals' first to last entry; now, if they are empty. */
function times(ended: readonly ProxyStatus[]): Pick<Receipt, "startedAt" | "endedAt" | "seconds"> {
  const known = ended.flatMap(({ state }) => state.journal.map(({ at }) => at));
  const [first, last] =
    known.length === 0 ? [Date.now(), Date.now()] : [Math.min(...known), Math.max(...known)];
  const iso = (at: number): string => new Date(at).toISOString();
  return { startedAt: iso(first), endedAt: iso(last), seconds: (last - first) / 1000 };
}
