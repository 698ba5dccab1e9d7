/**
 * From a request to a plan that may be applied: read the proxies' state, compute the next record, plan it with
 * Terraform, prove that the live slot is not touched. Changes nothing.
 */
import {
  permittedStrategies,
  rollbackPath,
  returnWarning,
  rootWarning,
  trafficOf,
  warningsOf,
} from "../../configuration/advice";
import type { Permissions } from "../../configuration/advice";
import { requireTakenOver } from "../../release/moved-by-hand";
import { describeDraining } from "../../release/draining";
import type { Draining } from "../../release/draining";
import { directorSpec } from "../../configuration/director-spec";
import { refuseImpossibleSessions } from "../../configuration/sessions";
import { requireNewer, retention } from "../../release/gate";
import { describeResolutions } from "../../release/resolution";
import { sequenceOf } from "../../release/sequence";
import { requireNotDrained } from "../../release/server-drain";
import { proxyPlaces, serverPlaces } from "../../configuration/naming";
import { stepId } from "../../release/steps";
import {
  proveLiveSlotUntouched,
  proveOnlyHealed,
  proveOnlySteps,
  refuseManyDeposed,
  refuseUnhealed,
} from "../../release/plan-proof";
import type { Plan } from "../../release/terraform-plan";
import { stepsOf } from "../../release/plan-steps";
import type { PlanSteps } from "../../release/plan-steps";
import { planToken } from "../../release/plan-token";
import { healedServers, isHealed, scheduleOf } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { describeProxies, NOBODY, takingPart, withoutBehind, withProxies } from "../../release/taking-part";
import type { Survey, TakingPart } from "../../release/taking-part";
import { isLive } from "../../release/transitions";
import type { Observed } from "../../release/transitions";
import { migrationNote } from "../artifact/migrations";
import { databaseServer } from "../project/database-server";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import { lockProject } from "../project/project-lock";
import { usersGet } from "../proxies/proxies";
import { proxiesOf } from "../proxies/proxies-of";
import type { Proxies } from "../proxies/proxies";
import { hasReceipt } from "../receipts/receipt-store";
import { collectInterrupted, collectReceipt, completeReceipt } from "../receipts/collected-receipt";
import { Stack } from "../terraform/stack";
import { detectsOf } from "./detects";
import { longestDraining } from "./drain-wait";
import type { Detects } from "./detects";
import type { Operation } from "./operation";
import { synthesize } from "../terraform/synth";
import type { Tools } from "./tools";

/** An aborted apply ends by itself, but its installers may need minutes. */
export const APPLY_END_SECONDS = 300;

export interface Planned {
  readonly before: ReleaseRecord;
  readonly next: ReleaseRecord;
  readonly proxies: Proxies;
  readonly hasBase: boolean;
  /** null if the proxies disagree. */
  readonly observed: Observed | null;
  readonly web: Stack;
  readonly plan: Plan;
  readonly steps: PlanSteps;
  /** How traffic moves to the candidate, as text. */
  readonly traffic: string;
  /** What the schedule can detect; null if no candidate gets users beside stable. */
  readonly detects: Detects | "unknown" | null;
  /** What is proved untouched, in one line. */
  readonly proof: string;
  /** Further lines about the plan: the database, a slot that is no longer retained. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
  readonly permissions: Permissions;
  readonly rollback: string;
  /** The clients that it has to wait for; null if it may begin. */
  readonly draining: Draining | null;
  readonly token: string;
}

/** @throws Refusal if it is not permitted; nothing was changed. */
export async function planOperation(
  project: Project,
  { progress, terraform }: Tools,
  { transition, proxies: demands = {}, clearsUp = false, endSessions }: Operation,
): Promise<Planned> {
  const { environment } = project;
  const before = readRecord(project);
  const proxies = proxiesOf(project, () => Promise.resolve(terraform));
  const hasBase = proxies.baseIsDeployed(before);
  if (!hasBase) databaseServer(environment);
  if (!proxies.reachable) progress.now("reading the proxies' last results");
  const { without = [], leavesOut = "none", heals = [] } = demands;
  const survey = hasBase ? await proxies.survey(before, without) : NOBODY;
  for (const { state } of survey.statuses) requireTakenOver(before.sequence, state.brokenGlass);
  const names = proxyPlaces(environment).map(({ name }) => name);
  const part = takingPart(before, names, survey, { without, leavesOut, heals });
  const statuses = part.current;
  const observed = usersGet(survey, statuses);
  collectReceipt(project, before, statuses);
  completeReceipt(project, before, statuses);
  const asked = transition(before, observed, statuses);
  const next = sharingOut(before, { ...asked, ...(endSessions && { endSessions }) }, observed, part);
  if (environment.sessions !== undefined) {
    const { driver } = environment.proxies;
    refuseImpossibleSessions(environment.sessions, driver, scheduleOf(next, environment), "proxies.driver");
  }
  for (const { proxy, state } of survey.statuses) requireNewer(next.sequence, proxy, state.sequence);
  const drained = statuses.flatMap((status) => status.drained ?? []);
  requireNotDrained(directorSpec(environment, next, 0), drained);
  const replaced = statuses.length === 0 ? null : retention(sequenceOf(next), statuses[0]!.state, Date.now());

  const { endSessions: _, ...waiting } = next;
  const active = longestDraining(waiting, statuses);

  progress.now(`planning record ${next.sequence}`);
  const web = new Stack(await synthesize(project, next), "web", terraform);
  const plan = await web.plan(clearsUp ? { lockTimeoutSeconds: APPLY_END_SECONDS } : {});
  // Terraform's lock was free: no apply of that record runs any more.
  if (hasBase && !hasReceipt(project, before.sequence))
    collectInterrupted(project, before, (await proxies.survey(before, part.leftOut)).statuses);
  if (!clearsUp) refuseManyDeposed(plan);
  return {
    ...{ before, next, proxies, hasBase, observed, web, plan },
    steps: stepsOf(plan),
    traffic: trafficOf(next, environment),
    detects: detectsOf(project, next, observed),
    proof: prove(project, plan, next, observed, survey),
    notes: [
      describeResolutions(next.resolve),
      migrationNote(next),
      replaced,
      active === null ? null : describeActive(active, next),
      ...describeProxies(next),
    ].filter((note) => note !== null),
    warnings: [
      returnWarning(before, next),
      rootWarning(environment, process.getuid?.() === 0),
      ...warningsOf(next, environment),
    ].filter((warning) => warning !== null),
    permissions: permittedStrategies(before, next),
    rollback: rollbackPath(next),
    draining: next.endSessions === undefined ? active : null,
    token: planToken(before, observed, next),
  };
}

/** What becomes of clients that are still active in the slot that this sequence needs. */
function describeActive(active: Draining, { endSessions }: ReleaseRecord): string {
  const fate = endSessions === undefined ? "it waits for them" : "their sessions end now";
  return `${describeDraining(active, Date.now())}; ${fate}`;
}

/** The record with the proxies that are left out, and those that catch up with what the others have live. */
function sharingOut(
  before: ReleaseRecord,
  next: ReleaseRecord,
  observed: Observed | null,
  part: TakingPart,
): ReleaseRecord {
  // If the others disagree, nothing shows what one that is behind should get.
  if (observed === null) return withProxies(next, withoutBehind(part), { release: null });
  const { releaseId: release, serving } = observed;
  const shared = before.converge === true && isLive(before, observed) && serving.length === SLOTS.length;
  return withProxies(next, part, { release, shared });
}

/** A plan that is only shown. */
export async function planOnly(project: Project, tools: Tools, operation: Operation): Promise<Planned> {
  const lock = await lockProject(project, `plan of ${operation.title}`, { progress: tools.progress });
  try {
    return await planOperation(project, tools, operation);
  } finally {
    tools.progress.stop();
    lock.release();
  }
}

/** @returns the proof as text. @throws Refusal with the first change that is not permitted. */
function prove(
  project: Project,
  plan: Plan,
  next: ReleaseRecord,
  observed: Observed | null,
  { unknown }: Survey,
): string {
  const live = observed?.live ?? null;
  const healing = healedServers(next);
  if (live === null) {
    proveOnlySteps(plan);
    const known = observed === null ? "the proxies disagree" : "nothing is live yet";
    const found = unknown === undefined ? known : "what users get is not known here, begin checks it";
    return `${found}; only steps of a release run`;
  }
  if (healing.length > 0) {
    const steps = proveOnlyHealed(plan, live, healing);
    return steps.length === 0
      ? `no install step runs; only ${healing.join(", ")} catches up`
      : `only ${steps.join(", ")} run; the other servers are not touched`;
  }
  refuseUnhealed(plan, healSteps(project, next));
  const inPlace = scheduleOf(next, project.environment).strategy === "recreate" && live === next.active;
  if (inPlace) {
    proveOnlySteps(plan);
    return `${observed?.releaseId} in ${live} is replaced in place, by a recreate; only steps of a release run`;
  }
  const steps = proveLiveSlotUntouched(plan, live);
  return `${observed?.releaseId} in ${live} is not touched (${steps} install steps are no-ops)`;
}

/** The install steps that last ran in a heal. */
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
