/**
 * One sequence from the request to the receipt: plan, confirm, write the record, apply exactly that plan, and write the
 * receipt.
 */
import { retireArtifacts } from "../artifact/retire";
import { EXIT } from "../../release/exit-code";
import { describeWindow, frozenBy } from "../../release/freeze-windows";
import { formatSteps } from "../../release/plan-steps";
import { requireSamePlan } from "../../release/plan-token";
import { hookFacts } from "../../configuration/hook-facts";
import type { HookRun } from "../../release/hook-run";
import type { ReleaseRecord } from "../../release/record";
import type { Receipt } from "../../release/receipt";
import { Failure, Refusal } from "../../release/failure";
import { runHooks } from "../hooks/run-hooks";
import type { LoadSnapshot } from "../load/messages";
import { nothingToObserve, startObservation } from "../measure/observation";
import type { Observation, ObservedRequests } from "../measure/observation";
import { writeRecord } from "../project/project";
import type { Project } from "../project/project";
import { lockProject } from "../project/project-lock";
import { requireAll } from "../proxies/proxies";
import { receiptOf } from "./deployment-receipt";
import { writeReceipt } from "../receipts/receipt-store";
import type { ProcessLock } from "../../system/process-lock";
import { createLiveView } from "../live/live-view";
import type { Progress } from "../terminal/progress";
import { candidateLogs, followLogs } from "../project/candidate-logs";
import { applyInterruptibly } from "./apply";
import type { Applied } from "./apply";
import { waitUntilDrained } from "./drain-wait";
import { deployBase } from "./infrastructure";
import { surveyOnceEnded } from "./last-words";
import type { Operation } from "./operation";
import { conclude } from "./outcome";
import type { Deployment } from "./outcome";
import { planOperation } from "./planning";
import type { Planned } from "./planning";
import type { Tools } from "./tools";

/** The operator's consent to this sequence. */
export interface Consent {
  /** Of a reviewed plan: refused if record or traffic changed since. */
  readonly token?: string;
  /** Why a freeze window is overridden; the receipt keeps it. */
  readonly overrideFreeze?: string;
  /** Asked once the plan is known. @default no question */
  readonly confirm?: (planned: Planned) => Promise<boolean>;
}

/** @throws Failure, Refusal if nothing was changed. */
export async function deploy(
  project: Project,
  tools: Tools,
  operation: Operation,
  consent: Consent = {},
): Promise<Deployment> {
  const startedAt = Date.now();
  const { progress } = tools;
  passFreezeWindows(project, operation, consent, startedAt);
  const { planned, lock } = await planOnceDrained(project, tools, operation, consent);
  try {
    // The wait may have ended in a freeze window.
    const freezeOverride = passFreezeWindows(project, operation, consent, Date.now());
    const { next, observed } = planned;
    if (consent.confirm === undefined) notePlan(planned, operation, progress);
    else await requireConfirmation(planned, consent.confirm, progress);
    const hooksBefore = await hooksBeforeRelease(project, operation, planned, progress);
    operation.prepare?.();
    if (!planned.hasBase) await deployBase(project, tools, planned.before);

    const lastLines = followLogs(project, next);
    const { applied, observed: users } = await applyObserved(project, tools, operation, planned);
    const survey = await surveyOnceEnded(planned.proxies, next, applied.working);
    // After a failed apply an unreachable proxy must not hide the failure.
    const statuses = applied.succeeded ? requireAll(survey) : survey.statuses;
    const ended = {
      ...conclude(operation.action, next, survey, applied),
      from: observed?.releaseId ?? null,
      seconds: (Date.now() - startedAt) / 1000,
    };
    const carriedOut = { operation, planned, statuses, ended, users, freezeOverride, startedAt };
    const hooks = [...hooksBefore, ...applied.hooks];
    const receipt = receiptOf(project, { ...carriedOut, hooks, endedAt: Date.now() });
    const file = keepReceipt(project, receipt, progress);
    const { outcome, exitCode, reason } = ended;
    const facts = hookFacts(project.environment, next, "after release", {
      ...{ outcome, exitCode, reason },
      receipt: file,
    });
    const hooksAfter = await runHooks(project, "after release", facts, progress);
    if (hooksAfter.length > 0) {
      keepReceipt(project, { ...receipt, hooks: [...hooks, ...hooksAfter] }, progress);
    }
    if (exitCode === EXIT.done) tidyUp(project, next, progress);
    const failed = exitCode !== EXIT.done && {
      logs: candidateLogs(project, next),
      lastLines: lastLines(),
    };
    return { ...ended, logs: [], ...failed, requests: brief(users.requests), receipt: file };
  } finally {
    progress.stop();
    lock.release();
  }
}

/** @returns a plan that may begin, and the lock. @throws Refusal before any wait if it is not the reviewed plan. */
async function planOnceDrained(
  project: Project,
  tools: Tools,
  operation: Operation,
  { token }: Consent,
): Promise<{ readonly planned: Planned; readonly lock: ProcessLock }> {
  const { progress } = tools;
  let lock: ProcessLock | null = null;
  try {
    for (;;) {
      lock = await lockProject(project, operation.title, { progress });
      const planned = await planOperation(project, tools, operation);
      if (token !== undefined) requireSamePlan(token, planned.token);
      if (planned.draining === null) return { planned, lock };
      lock.release();
      lock = null;
      await waitUntilDrained(planned, planned.draining, progress);
    }
  } catch (error) {
    progress.stop();
    lock?.release();
    throw error;
  }
}

function notePlan(
  { proof, notes, steps, warnings }: Planned,
  { action }: Operation,
  progress: Progress,
): void {
  // Show what is done and what will run.
  const isRetry = action === "retry" || action === "resolve";
  const more = isRetry ? [...notes, ...formatSteps(steps)] : notes;
  for (const line of [proof, ...more]) progress.note(`plan: ${line}`);
  for (const warning of warnings) progress.note(`warning: ${warning}`);
}

async function requireConfirmation(
  planned: Planned,
  confirm: NonNullable<Consent["confirm"]>,
  progress: Progress,
): Promise<void> {
  progress.stop();
  if (await confirm(planned)) return;
  throw new Failure("not confirmed: nothing was changed", EXIT.refused);
}

/** From here on the record is the new one, even if this apply fails. */
async function applyObserved(
  project: Project,
  { progress }: Tools,
  operation: Operation,
  { before, next, observed, proxies, web, plan }: Planned,
): Promise<{ applied: Applied; observed: ObservedRequests }> {
  // Don't wait for its start: the first steps take longer, and don't affect users.
  const starting =
    observed?.live === null
      ? Promise.resolve(nothingToObserve("nothing was live before"))
      : startObservation(project);
  let observation: Observation | undefined;
  void starting.then((started) => (observation = started));
  const measured = (): LoadSnapshot | null => observation?.snapshot() ?? null;
  const live = createLiveView(project, proxies, { record: next, progress, measured });
  let applied: Applied | undefined;
  try {
    await live.start();
    writeRecord(project, next);
    applied = await applyInterruptibly(proxies, progress, { web, plan }, next, operation);
  } finally {
    live.stop();
    if (applied?.nothingWasApplied !== false) await (await starting).kill();
  }
  if (!applied.nothingWasApplied) return { applied, observed: await (await starting).stop() };
  // Another process changed the state meanwhile: this sequence was never applied.
  writeRecord(project, before);
  throw new Failure(
    `${applied.reasons.join("; ")}: another apply changed the state meanwhile. Nothing was changed here; pull, then plan again`,
    EXIT.refused,
  );
}

/** No hook delays a rollback or an abort. */
function hooksBeforeRelease(
  project: Project,
  { action }: Operation,
  { next }: Planned,
  progress: Progress,
): Promise<HookRun[]> {
  if (action === "rollback" || action === "abort") return Promise.resolve([]);
  const facts = hookFacts(project.environment, next, "before release");
  return runHooks(project, "before release", facts, progress);
}

function passFreezeWindows(
  { environment }: Project,
  { action }: Operation,
  { overrideFreeze }: Consent,
  now: number,
): Receipt["freezeOverride"] {
  const window = frozenBy(environment.freezeWindows, action, now);
  if (window === undefined) return null;
  if (overrideFreeze !== undefined) return { window: describeWindow(window), reason: overrideFreeze };
  throw new Refusal(
    "frozen",
    `frozen now: ${describeWindow(window)}; nothing was changed. To release anyway: --override-freeze "<why>"; the receipt keeps the reason`,
  );
}

/** A full disk must not turn a finished release into a failure. */
function keepReceipt(project: Project, receipt: Receipt, progress: Progress): string | null {
  try {
    return writeReceipt(project, receipt);
  } catch (error) {
    progress.note(`the receipt can't be written: ${(error as Error).message}`);
    return null;
  }
}

/** What can't be removed must not turn a finished release into a failure. */
function tidyUp(project: Project, record: ReleaseRecord, progress: Progress): void {
  try {
    retireArtifacts(project, record);
  } catch (error) {
    progress.note(`old artifacts can't be removed: ${(error as Error).message}`);
  }
}

function brief(requests: ObservedRequests["requests"]): Deployment["requests"] {
  if (requests === null) return null;
  const { sent, failed, longestGapMs } = requests;
  return { sent, failed, longestGapMs };
}
