/**
 * One sequence from the transition to its outcome: observe the proxies, compute the next record, plan it, prove
 * that the live slot stays as it is, make it the environment's record, apply exactly that plan.
 */
import { serverPlaces, stepId } from "../../release/naming";
import { requireLocal } from "../../release/platform";
import {
  proveLiveSlotUntouched,
  proveOnlyHealed,
  proveOnlySteps,
  refuseManyDeposed,
  refuseUnhealed,
} from "../../release/plan-proof";
import { healedServers, isHealed, scheduleOf, touchedSlots } from "../../release/record";
import type { Goal, ReleaseRecord } from "../../release/record";
import { Refusal } from "../../release/refusal";
import { otherSlot } from "../../release/slot";
import type { Observed } from "../../release/transitions";
import { migrationNote } from "../artifact/migrations";
import { OperatorError } from "../operator-error";
import { readRecord, writeRecord } from "../project/project";
import type { Project } from "../project/project";
import { lockProject } from "../project/project-lock";
import type { Progress } from "../terminal/progress";
import { agreed, proxiesOf } from "../proxies/proxies";
import type { Comparison, Proxies, ProxyStatus, StepResult, Unfinished } from "../proxies/proxies";
import { synthesize } from "./synth";
import type { TerraformBinary } from "../terraform/binary";
import { Stack } from "../terraform/stack";
import type { ApplyResult } from "../terraform/stack";

export interface Tools {
  readonly progress: Progress;
  readonly terraform: TerraformBinary;
}

/** What became of a sequence; `from` and `to` are what the proxies called stable before and after. */
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
}

/** @param observed null where the proxies disagree. */
export type Transition = (
  record: ReleaseRecord,
  observed: Observed | null,
  statuses: readonly ProxyStatus[],
) => ReleaseRecord;

/** An apply whose director was told to abort ends by itself; its installers may take their time. */
export const APPLY_END_SECONDS = 300;

/** What the directors say after a sequence without a shift; an install that failed says nothing there. */
const OUTCOME_BY_EXIT_CODE: Readonly<Record<number, string>> = {
  0: "unchanged",
  1: "failed",
  2: "refused",
  3: "refused",
  4: "rejected",
  5: "rolledBack",
  6: "frozen",
};

/**
 * @param clearsUp this sequence is the way out: many failed applies don't stop it, and it waits for an apply that
 * was aborted, or lost its command, to end.
 */
export async function deploy(
  project: Project,
  tools: Tools,
  transition: Transition,
  clearsUp = false,
): Promise<Deployment> {
  const startedAt = Date.now();
  const { progress, terraform } = tools;
  const lock = await lockProject(project);
  try {
    const record = readRecord(project);
    const proxies = proxiesOf(project, () => Promise.resolve(terraform));
    const hasBase = proxies.baseIsDeployed();
    if (!proxies.reachable) progress.now("reading what the proxies said last");
    const statuses = hasBase ? await proxies.statuses(record) : [];
    const observed = agreed(statuses);
    const next = transition(record, observed, statuses);
    refuseStaleRecord(next, statuses);
    const replaced = retainedThatIsReplaced(next, statuses);
    if (!hasBase) await deployBase(project, tools, record);

    progress.now(`planning record ${next.sequence}`);
    const web = new Stack(await synthesize(project, next), "web", terraform);
    const plan = await web.plan(clearsUp ? { lockTimeoutSeconds: APPLY_END_SECONDS } : {});
    if (!clearsUp) refuseManyDeposed(plan);
    const live = observed?.live ?? null;
    const healing = healedServers(next);
    if (live !== null && healing.length === 0) refuseUnhealed(plan, healSteps(project, next));
    const inPlace = scheduleOf(next, project.environment).strategy === "recreate" && live === next.active;
    if (live !== null && healing.length > 0) {
      const steps = proveOnlyHealed(plan, live, healing);
      progress.note(`plan: ${steps.join(", ")} run, the other servers are not touched`);
    } else if (live !== null && !inPlace) {
      const steps = proveLiveSlotUntouched(plan, live);
      progress.note(
        `plan: ${observed?.releaseId} in ${live} is not touched (${steps} install steps are no-ops)`,
      );
    } else proveOnlySteps(plan);
    const database = migrationNote(next);
    if (database !== null) progress.note(`plan: ${database}`);
    if (replaced !== null) progress.note(`plan: ${replaced}`);
    // From here on the record says what should run, whatever becomes of this apply.
    writeRecord(project, next);
    const applied = await applyInterruptibly(proxies, tools, web, next);
    return await conclude(proxies, next, observed, applied, startedAt);
  } finally {
    progress.stop();
    lock.release();
  }
}

/** The install steps whose last execution was a heal's. */
function healSteps(
  { environment }: Project,
  record: ReleaseRecord,
): { readonly id: string; readonly server: string }[] {
  return serverPlaces(environment).flatMap(({ name: server, slots }) =>
    slots.flatMap((slot) =>
      isHealed(record, slot, server) ? [{ id: stepId.install(slot, server), server }] : [],
    ),
  );
}

/** Stops everything that base and web started, in that order of ownership. The record stays. */
export async function takeDown(project: Project, tools: Tools): Promise<void> {
  requireLocal(project.environment, "`bluegreen down`");
  const { progress, terraform } = tools;
  const lock = await lockProject(project);
  try {
    const output = await synthesize(project, readRecord(project));
    for (const name of ["web", "base"] as const) {
      progress.now(`destroying ${name}`);
      const stack = new Stack(output, name, terraform);
      await stack.plan({ destroy: true });
      const result = await stack.apply({ onStep: () => undefined });
      if (!result.succeeded)
        throw new OperatorError(`${name} was not destroyed: ${result.reasons.join("; ")}`, 1);
    }
    progress.done(`${project.environment.name} is down; its data and its record stay`);
  } finally {
    progress.stop();
    lock.release();
  }
}

export async function deployBase(project: Project, tools: Tools, record: ReleaseRecord): Promise<void> {
  tools.progress.now("deploying base");
  const base = new Stack(await synthesize(project, record), "base", tools.terraform);
  await base.plan();
  const result = await base.apply({
    onStep: (address) => tools.progress.now(`base: ${shortAddress(address)}`),
  });
  if (!result.succeeded) {
    const exitCode = result.exitCode === 3 ? 3 : 1;
    throw new OperatorError(`base was not deployed: ${result.reasons.join("; ")}`, exitCode);
  }
  tools.progress.done("base is deployed");
}

/** Ctrl-C: the directors put traffic back first, then Terraform is asked to stop. */
async function applyInterruptibly(
  proxies: Proxies,
  { progress }: Tools,
  web: Stack,
  record: ReleaseRecord,
): Promise<ApplyResult> {
  let interruptTerraform: () => void = () => undefined;
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) return interruptTerraform();
    interrupted = true;
    progress.note(
      proxies.reachable
        ? "aborting: traffic goes back to what is stable (once more stops Terraform at once)"
        : "stopping: a director that is at work ends by itself, with traffic on verified releases; then `bluegreen abort`",
    );
    proxies.abort(record).then(
      () => interruptTerraform(),
      (error: Error) => {
        progress.note(error.message);
        interruptTerraform();
      },
    );
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, interrupt);
  try {
    const result = await web.apply({
      onStep: (address, event) => {
        if (event === "started") progress.now(`${shortAddress(address)} (record ${record.sequence})`);
      },
      onStarted: (stop) => (interruptTerraform = stop),
    });
    return interrupted && !result.succeeded ? { ...result, exitCode: 5 } : result;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

async function conclude(
  proxies: Proxies,
  record: ReleaseRecord,
  before: Observed | null,
  applied: ApplyResult,
  startedAt: number,
): Promise<Deployment> {
  const statuses = await proxies.statuses(record);
  const results = statuses.flatMap(({ state: { result } }) =>
    result?.sequence === record.sequence ? [result] : [],
  );
  const { outcome, reason } = summarize(applied, results);
  return {
    sequence: record.sequence,
    goal: record.goal,
    from: before?.releaseId ?? null,
    to: agreed(statuses)?.releaseId ?? null,
    outcome,
    exitCode: applied.exitCode,
    reason,
    seconds: (Date.now() - startedAt) / 1000,
    comparison: results.find(({ comparison }) => comparison)?.comparison ?? null,
    unfinished: statuses.flatMap(({ state }) =>
      state.sequence === record.sequence ? (state.unfinished ?? []) : [],
    ),
  };
}

function summarize(
  applied: ApplyResult,
  results: readonly StepResult[],
): { outcome: string; reason: string } {
  const failed = results.find(({ exitCode }) => exitCode !== 0);
  if (!applied.succeeded) {
    const outcome = OUTCOME_BY_EXIT_CODE[applied.exitCode] ?? "failed";
    return { outcome, reason: failed?.reason ?? applied.reasons.map(withoutProgram).join("; ") };
  }
  // `share` is the last step of a convergence; the promotion before it is what happened to users.
  const [first] = results;
  if (first === undefined) return { outcome: "unchanged", reason: "nothing to do" };
  return { outcome: first.outcome === "shared" ? "promoted" : first.outcome, reason: first.reason };
}

/** @throws Refusal where the proxies disagree: then only `retry` and `rollback` are possible. */
export function requireAgreement(observed: Observed | null, statuses: readonly ProxyStatus[]): Observed {
  if (observed !== null) return observed;
  const each = statuses.map(({ proxy, state }) => `${proxy} serves ${state.stable?.releaseId ?? "nothing"}`);
  throw new Refusal(
    "proxies-disagree",
    `${each.join(", ")}: only \`bluegreen retry\` or \`bluegreen rollback\` go on from here`,
  );
}

/** A stale checkout: what it would write was written before, by somebody else. */
function refuseStaleRecord(next: ReleaseRecord, statuses: readonly ProxyStatus[]): void {
  for (const { proxy, state } of statuses) {
    if (state.sequence >= next.sequence) {
      throw new OperatorError(
        `the record here is at ${next.sequence - 1}, but ${proxy} knows record ${state.sequence}: pull, then try again; nothing was changed`,
        3,
      );
    }
  }
}

/**
 * What happens to a slot that is kept for an instant rollback: the next release may take it before its time.
 * @throws OperatorError where a convergence would.
 */
function retainedThatIsReplaced(next: ReleaseRecord, statuses: readonly ProxyStatus[]): string | null {
  const { retainedUntil = null, stable = null } = statuses[0]?.state ?? {};
  if (retainedUntil === null || stable === null || retainedUntil <= Date.now()) return null;
  const retained = otherSlot(stable.slot);
  const until = `kept for an instant rollback until ${new Date(retainedUntil).toISOString()}`;
  if (touchedSlots(next).includes(retained)) return `it gives up ${retained}, which is ${until}`;
  if (next.converge !== true) return null;
  throw new OperatorError(`${retained} is ${until}: only a release into it may replace it before`, 3);
}

function shortAddress(address: string): string {
  return address.replace(/^terraform_data\./, "").replace(/_[0-9A-F]{8}$/, "");
}

function withoutProgram(reason: string): string {
  return reason.replace(/^(director \w+|install|migrate): /, "");
}
