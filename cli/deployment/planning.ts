/**
 * From what somebody asks for to a plan that may be applied: observe the proxies, compute the next record, let Terraform
 * plan it, prove that the live slot stays as it is. Nothing is changed.
 */
import { permittedStrategies, trafficOf, warningsOf, rollbackPath } from "../../configuration/advice";
import type { Permissions } from "../../configuration/advice";
import { requireNewer, retention } from "../../release/gate";
import { describeResolutions } from "../../release/resolution";
import { sequenceOf } from "../../release/sequence";
import { serverPlaces } from "../../configuration/naming";
import { stepId } from "../../release/steps";
import {
  proveLiveSlotUntouched,
  proveOnlyHealed,
  proveOnlySteps,
  refuseManyDeposed,
  refuseUnhealed,
} from "../../release/plan-proof";
import type { Plan } from "../../release/plan-proof";
import { stepsOf } from "../../release/plan-steps";
import type { PlanSteps } from "../../release/plan-steps";
import { planToken } from "../../release/plan-token";
import { healedServers, isHealed, scheduleOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import type { Slot } from "../../release/slot";
import type { Observed } from "../../release/transitions";
import { migrationNote } from "../artifact/migrations";
import { databaseServer } from "../project/database-server";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import { lockProject } from "../project/project-lock";
import { agreed } from "../proxies/proxies";
import { proxiesOf } from "../proxies/proxies-of";
import type { Proxies } from "../proxies/proxies";
import { hasReceipt } from "../receipts/receipt-store";
import { collectInterrupted, collectReceipt, completeReceipt } from "../receipts/collected-receipt";
import { Stack } from "../terraform/stack";
import type { Operation } from "./operation";
import { synthesize } from "../terraform/synth";
import type { Tools } from "./tools";

/** An apply whose director was told to abort ends by itself; its installers may take their time. */
export const APPLY_END_SECONDS = 300;

export interface Planned {
  readonly before: ReleaseRecord;
  readonly next: ReleaseRecord;
  readonly proxies: Proxies;
  readonly hasBase: boolean;
  /** null where the proxies disagree. */
  readonly observed: Observed | null;
  readonly web: Stack;
  readonly plan: Plan;
  readonly steps: PlanSteps;
  /** How the requests go to the candidate, in words. */
  readonly traffic: string;
  /** In one line: what was seen to stay as it is. */
  readonly proof: string;
  /** What else the plan says: about the database, about a slot that is given up. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
  readonly permissions: Permissions;
  readonly wayBack: string;
  readonly token: string;
}

/** @throws Refusal where it may not happen; then nothing was changed. */
export async function planOperation(
  project: Project,
  { progress, terraform }: Tools,
  { transition, clearsUp = false }: Operation,
): Promise<Planned> {
  const { environment } = project;
  const before = readRecord(project);
  const proxies = proxiesOf(project, () => Promise.resolve(terraform));
  const hasBase = proxies.baseIsDeployed();
  if (!hasBase) databaseServer(environment);
  if (!proxies.reachable) progress.now("reading what the proxies said last");
  const statuses = hasBase ? await proxies.statuses(before) : [];
  const observed = agreed(statuses);
  collectReceipt(project, before, statuses);
  completeReceipt(project, before, statuses);
  const next = transition(before, observed, statuses);
  for (const { proxy, state } of statuses) requireNewer(next.sequence, proxy, state.sequence);
  const replaced = statuses.length === 0 ? null : retention(sequenceOf(next), statuses[0]!.state, Date.now());

  progress.now(`planning record ${next.sequence}`);
  const web = new Stack(await synthesize(project, next), "web", terraform);
  const plan = await web.plan(clearsUp ? { lockTimeoutSeconds: APPLY_END_SECONDS } : {});
  // Terraform's lock was free: nobody works on that record any more.
  if (hasBase && !hasReceipt(project, before.sequence))
    collectInterrupted(project, before, await proxies.statuses(before));
  if (!clearsUp) refuseManyDeposed(plan);
  return {
    ...{ before, next, proxies, hasBase, observed, web, plan },
    steps: stepsOf(plan),
    traffic: trafficOf(next, environment),
    proof: prove(project, plan, next, observed),
    notes: [describeResolutions(next.resolve), migrationNote(next), replaced].filter((note) => note !== null),
    warnings: warningsOf(next, environment),
    permissions: permittedStrategies(before, next),
    wayBack: rollbackPath(next),
    token: planToken(before, observed, next),
  };
}

/** For somebody who only wants to look. */
export async function planOnly(project: Project, tools: Tools, operation: Operation): Promise<Planned> {
  const lock = await lockProject(project, `plan of ${operation.title}`, { progress: tools.progress });
  try {
    return await planOperation(project, tools, operation);
  } finally {
    tools.progress.stop();
    lock.release();
  }
}

/** @returns the proof in words. @throws Refusal naming the change that is too much. */
function prove(project: Project, plan: Plan, next: ReleaseRecord, observed: Observed | null): string {
  const live = observed?.live ?? null;
  const healing = healedServers(next);
  if (live === null) {
    proveOnlySteps(plan);
    return observed === null
      ? "the proxies disagree; nothing but steps of a release run"
      : "nothing is live yet; nothing but steps of a release run";
  }
  if (healing.length > 0) {
    return `${proveOnlyHealed(plan, live, healing).join(", ")} run, the other servers are not touched`;
  }
  refuseUnhealed(plan, healSteps(project, next));
  const inPlace = scheduleOf(next, project.environment).strategy === "recreate" && live === next.active;
  if (inPlace) {
    proveOnlySteps(plan);
    return `${observed?.releaseId} in ${live} is replaced where it is, as a recreate does; nothing but steps of a release run`;
  }
  const steps = proveLiveSlotUntouched(plan, live);
  return `${observed?.releaseId} in ${live} is not touched (${steps} install steps are no-ops)`;
}

/** The install steps whose last execution was a heal's. */
function healSteps(
  { environment }: Project,
  record: ReleaseRecord,
): { readonly id: string; readonly server: string }[] {
  return serverPlaces(environment).flatMap(({ name: server, slots }) =>
    slots.flatMap((slot: Slot) =>
      isHealed(record, slot, server) ? [{ id: stepId.install(slot, server), server }] : [],
    ),
  );
}
