/** The operations of the command: each is a transition of the record, which {@link deploy} applies. */
import { mkdirSync, existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { EXIT } from "../../release/exit-code";
import { cannotSpare } from "../../release/gate";
import { resolve as resolveScript } from "../../release/resolve";
import { Resolution } from "../../release/resolution";
import { proxyPlaces, refuseUnknownMachines, serverFolder, serverPlaces } from "../../configuration/naming";
import { isLocal } from "../../configuration/platform";
import { drains } from "../../configuration/sessions";
import { healedServers, idOrNull, scheduleOf, target } from "../../release/record";
import type { Goal, ReleaseRecord } from "../../release/record";
import { InvalidInput, Refusal } from "../../release/failure";
import { quote } from "../../release/text";
import type { Candidate, ReleaseId } from "../../release/release";
import { describeSafeRelease, newestSafeRelease } from "../../release/safe-release";
import type { ScheduleChoice } from "../../release/schedule";
import { otherSlot } from "../../release/slot";
import { takingPart } from "../../release/taking-part";
import { recordInForce } from "../../release/in-force";
import * as transitions from "../../release/transitions";
import { isWayBack } from "../../release/way-back";
import type { Observed } from "../../release/transitions";
import { requireDatabase } from "../migrations/known-journal";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import { lockProject } from "../project/project-lock";
import { NO_REPORT, usersGet } from "../proxies/proxies";
import { proxiesOf } from "../proxies/proxies-of";
import type { ProxyStatus } from "../../release/director-status";
import { hasReceipt, readReceipt, readReceipts } from "../receipts/receipt-store";
import { deploy } from "./deploy";
import type { Operation } from "./operation";
import type { Deployment } from "./outcome";
import { APPLY_END_SECONDS } from "./planning";
import type { Tools } from "./tools";

export interface ReleaseOptions {
  readonly goal?: Goal;
  readonly schedule?: ScheduleChoice;
}

export function release(project: Project, candidate: Candidate, options: ReleaseOptions): Operation {
  const action = options.goal === "staged" ? "stage" : "release";
  return {
    action,
    title: `${action} of ${candidate.version}`,
    transition: (record, observed, statuses) =>
      transitions.release(record, candidate, requireAgreement(observed, statuses), {
        ...intent(project),
        ...options,
      }),
  };
}

/** @param expectChange whether the candidate may answer otherwise than stable. Else the record decides, as before. */
export function promote(project: Project, to: Goal, expectChange = false): Operation {
  return {
    action: "promote",
    title: "promote",
    transition: (record, observed, statuses) =>
      transitions.promote(
        record,
        requireAgreement(observed, statuses),
        to,
        scheduleThatExpects(project, record, expectChange),
      ),
  };
}

/** The record's schedule, or the environment's, with `expectChange`. Undefined if that is not asked for. */
function scheduleThatExpects(
  { environment }: Project,
  record: ReleaseRecord,
  expectChange: boolean,
): ScheduleChoice | undefined {
  if (!expectChange) return undefined;
  const schedule = scheduleOf(record, environment);
  return { ...schedule, analysis: { ...schedule.analysis, expectChange } };
}

/** @param without proxies that it leaves out, besides those that don't answer. */
export function rollback(
  project: Project,
  schedule?: ScheduleChoice,
  without: readonly string[] = [],
): Operation {
  const wanted = { ...intent(project), ...(schedule === undefined ? {} : { schedule }) };
  return {
    action: "rollback",
    title: "rollback",
    proxies: { leavesOut: "silent", without: knownProxies(without, project) },
    transition: (written, observed, statuses) => {
      const record = recordInForce(
        written,
        statuses.map(({ state }) => state),
      );
      try {
        return observed === null
          ? transitions.rollbackOnDisagreement(record, wanted)
          : transitions.rollback(record, observed, wanted);
      } catch (error) {
        throw withSafeRelease(error, project, record);
      }
    },
  };
}

/** @param without proxies that it leaves out, besides those that were left out before and still don't answer. */
export function retry(project: Project, without: readonly string[] = [], expectChange = false): Operation {
  return {
    action: "retry",
    title: "retry",
    proxies: { leavesOut: "leftOut", without: knownProxies(without, project) },
    transition: (record, observed, statuses) =>
      transitions.retry(
        record,
        observedOrServing(observed, statuses),
        candidateIsMissing(record, statuses),
        scheduleThatExpects(project, record, expectChange),
      ),
  };
}

/**
 * Records the state of an interrupted script in the journal, then continues as a retry. The migrate step does both.
 * @throws InvalidInput if it is not a script's name.
 */
export function resolve(project: Project, resolution: Resolution): Operation {
  requireDatabase(project);
  const checked = z.safeParse(Resolution, resolution);
  if (!checked.success) {
    throw new InvalidInput(`${quote(resolution.script)} is not a script's name; use one like 0004-x.sql`);
  }
  return {
    action: "resolve",
    title: `resolve of ${resolution.script}`,
    transition: (record, observed, statuses) => {
      const missing = candidateIsMissing(record, statuses);
      return resolveScript(record, observedOrServing(observed, statuses), checked.data, missing);
    },
  };
}

/**
 * Brings servers that base replaced or added to what the others serve; after verification they get traffic. A proxy that
 * is behind verifies what the others serve, and sends its users there.
 */
export function heal(project: Project, { progress }: Tools, servers: readonly string[]): Operation {
  refuseUnknownMachines(servers, project.environment);
  const proxies = proxyPlaces(project.environment).map(({ name }) => name);
  return {
    action: "heal",
    title: `heal of ${servers.join(", ")}`,
    proxies: { heals: servers.filter((server) => proxies.includes(server)) },
    transition: (record, observed, statuses) => {
      const healed = transitions.heal(record, requireAgreement(observed, statuses), servers);
      // An install step that is gone is made again, even if its server is healthy.
      const isGone = lacksInstallStep(project, healed, statuses, servers);
      const next = isGone ? { ...healed, retry: true } : healed;
      // An interrupted heal must be completed, even if all servers are healthy by now.
      const isHealed = statuses.every(
        ({ state: { result } }) => result?.sequence === record.sequence && result.outcome === "healed",
      );
      const isAgain = next.retry === true && !isHealed;
      const live = idOrNull(target(next));
      for (const status of statuses) cannotSpare(servers, live, serversServing(live, status), isAgain);
      return next;
    },
    prepare: () =>
      recreateLostFolders(
        project,
        progress,
        servers.filter((server) => !proxies.includes(server)),
      ),
  };
}

/**
 * Rolls back at once, whatever runs; then cancels the candidate, so that record, Terraform and proxies agree again.
 * @returns null if there was nothing to abort.
 */
export async function abort(
  project: Project,
  tools: Tools,
  without: readonly string[] = [],
): Promise<Deployment | null> {
  const { progress } = tools;
  const demands = { leavesOut: "silent", without: knownProxies(without, project), heals: [] } as const;
  progress.now("rolling back to stable");
  const record = readRecord(project);
  const proxies = proxiesOf(project, () => Promise.resolve(tools.terraform));
  const { results, silent } = await proxies.abort(record, without);
  for (const { problem } of silent) progress.note(problem);
  const frozen = results.find(({ exitCode }) => exitCode !== 0);
  if (frozen !== undefined) {
    const unchanged = {
      from: null,
      to: null,
      seconds: 0,
      unfinished: [],
      logs: [],
      requests: null,
      receipt: null,
    };
    return { goal: record.goal, ...unchanged, ...frozen };
  }
  if (!proxies.reachable) {
    progress.note(
      `a director on Azure ends by itself: if an apply runs, this waits for it for at most ${APPLY_END_SECONDS} s, then gives up`,
    );
  }
  (await lockProject(project, "abort", { waitSeconds: APPLY_END_SECONDS, progress })).release();
  const left = [...without, ...silent.map(({ proxy }) => proxy)];
  const current = readRecord(project);
  const survey = await proxies.survey(current, left);
  const names = proxyPlaces(project.environment).map(({ name }) => name);
  const part = takingPart(current, names, { ...survey, silent }, demands);
  const observed = usersGet(survey, part.current);
  let transition = transitions.cancel;
  try {
    if (observed !== null) transitions.cancel(current, observed);
  } catch (error) {
    if (!(error instanceof Refusal && error.reason === "nothing-to-cancel")) throw error;
    if (!isUnfinishedAbort(project, current, part.current)) return null;
    transition = (before, users) => transitions.retry(before, users, false);
  }
  return deploy(project, tools, {
    action: "abort",
    title: "abort",
    proxies: demands,
    transition: (before, users, all) => transition(before, requireAgreement(users, all)),
    ...(drains(project.environment) && { endSessions: "replaced" }),
    clearsUp: true,
  });
}

/** The candidate is cancelled in the record, but not all of its steps are undone. */
function isUnfinishedAbort(
  project: Project,
  record: ReleaseRecord,
  statuses: readonly ProxyStatus[],
): boolean {
  const { sequence, slots, active } = record;
  if (hasReceipt(project, sequence)) {
    const { action, exitCode } = readReceipt(project, sequence);
    return action === "abort" && exitCode !== EXIT.done;
  }
  const isEmptied = slots[otherSlot(active)] === null && healedServers(record).length === 0;
  return isEmptied && statuses.some(({ state }) => state.sequence !== sequence || !state.finished);
}

/**
 * A candidate that was rejected because stable's users got more failed answers still runs, and may still do harm: cancels
 * it, which stops it. What a rollback would return to is never cancelled.
 * @returns the deployment; its reason also has what became of the candidate.
 */
export async function stopHarmful(
  project: Project,
  tools: Tools,
  deployment: Deployment,
): Promise<Deployment> {
  if (deployment.exitCode !== EXIT.rejected || deployment.users?.worse !== true) return deployment;
  const record = readRecord(project);
  if (isWayBack({ ...record, schedule: scheduleOf(record, project.environment) })) return deployment;
  tools.progress.note("users' failed answers rose since the candidate was installed: it is stopped");
  const stopped = await stoppedBy(() => abort(project, tools));
  return { ...deployment, reason: `${deployment.reason}. ${stopped}` };
}

async function stoppedBy(cancel: () => Promise<Deployment | null>): Promise<string> {
  try {
    const cancelled = await cancel();
    if (cancelled === null) return "There was nothing to stop";
    const { sequence, exitCode, reason } = cancelled;
    return exitCode === EXIT.done
      ? `This command did so: record ${sequence}`
      : `This command tried so, in vain: ${reason}`;
  } catch (error) {
    return `This command tried so, in vain: ${(error as Error).message}`;
  }
}

/** @throws InvalidInput naming the proxies. */
function knownProxies(names: readonly string[], { environment }: Project): readonly string[] {
  const known = proxyPlaces(environment).map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new InvalidInput(`there is no proxy ${quote(unknown)} in ${environment.name}: ${known.join(", ")}`);
  }
  if (known.every((name) => names.includes(name))) {
    throw new InvalidInput(
      `--without names every proxy of ${environment.name} (${names.join(", ")}): one must take part`,
    );
  }
  return names;
}

/** @throws Refusal if the proxies disagree: only `retry` and `rollback` are possible then. */
function requireAgreement(observed: Observed | null, statuses: readonly ProxyStatus[]): Observed {
  if (observed !== null) return observed;
  if (statuses.length === 0) throw new Refusal("unknown-release", `${NO_REPORT}; nothing was changed`);
  const each = statuses.map(({ proxy, state }) => `${proxy} serves ${state.stable?.releaseId ?? "nothing"}`);
  throw new Refusal(
    "proxies-disagree",
    `${each.join(", ")}: run \`bluegreen retry\` or \`bluegreen rollback\``,
  );
}

/** A retry is possible even if the proxies disagree. */
function observedOrServing(observed: Observed | null, statuses: readonly ProxyStatus[]): Observed {
  const serving = [...new Set(statuses.flatMap((status) => status.serving))];
  return observed ?? { live: null, releaseId: null, serving };
}

/** Adds the newest safe release to a refused rollback. */
function withSafeRelease(error: unknown, project: Project, record: ReleaseRecord): unknown {
  const needsAlternative =
    error instanceof Refusal && ["old-schema", "banned", "nothing-to-roll-back-to"].includes(error.reason);
  if (!needsAlternative) return error;
  const releases = readReceipts(project, () => undefined).flatMap(({ exitCode, to, record: recorded }) =>
    exitCode === 0 && recorded !== null ? [{ record: recorded.after, stable: to }] : [],
  );
  const safe = newestSafeRelease(record, releases);
  return new Refusal(error.reason, `${error.message}. ${describeSafeRelease(safe)}`);
}

function intent(project: Project): transitions.Intent {
  return { environmentSchedule: project.environment.schedule };
}

/** The servers that serve this release, healthy and in rotation. */
function serversServing(release: ReleaseId | null, { endpoints, serving }: ProxyStatus): string[] {
  return serving
    .flatMap((slot) => endpoints[slot])
    .filter(({ healthy, inRotation, releaseId }) => healthy && inRotation && releaseId === release)
    .map(({ server }) => server);
}

/** On Azure the endpoints are the install steps in Terraform's state. */
function lacksInstallStep(
  { environment }: Project,
  { slots: recorded }: ReleaseRecord,
  statuses: readonly ProxyStatus[],
  servers: readonly string[],
): boolean {
  if (isLocal(environment)) return false;
  const healed = serverPlaces(environment).filter(({ name }) => servers.includes(name));
  return healed.some(({ name, slots }) =>
    slots.some(
      (slot) =>
        recorded[slot] !== null &&
        statuses.some(({ endpoints }) => !endpoints[slot].some(({ server }) => server === name)),
    ),
  );
}

/** On the local platform a web server is a folder; Terraform does not notice if it is gone. */
function recreateLostFolders(
  { folder, environment }: Project,
  progress: Tools["progress"],
  servers: readonly string[],
): void {
  if (!isLocal(environment)) return;
  for (const server of servers) {
    const lost = join(folder, serverFolder(environment, server));
    if (existsSync(lost)) continue;
    mkdirSync(lost, { mode: 0o750 });
    progress.note(`${server}: its folder was missing and was created again, empty`);
  }
}

/** Whether an endpoint of the candidate's slot does not answer as the candidate: its install failed. */
function candidateIsMissing(record: ReleaseRecord, statuses: readonly ProxyStatus[]): boolean {
  const wanted = idOrNull(target(record));
  return statuses.some(({ endpoints }) =>
    endpoints[record.active].some(({ healthy, releaseId }) => !healthy || releaseId !== wanted),
  );
}
