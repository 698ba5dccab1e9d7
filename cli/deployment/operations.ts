/** The operator's commands: each is a transition of the record, carried out by {@link deploy}. */
import { mkdirSync, existsSync } from "node:fs";
import { join } from "node:path";
import { refuseUnknownServers, serverFolder } from "../../release/naming";
import { isLocal } from "../../release/platform";
import { idOrNull, target } from "../../release/record";
import type { Goal, ReleaseRecord } from "../../release/record";
import { Refusal } from "../../release/refusal";
import type { Candidate } from "../../release/release";
import type { ScheduleChoice } from "../../release/schedule";
import * as transitions from "../../release/transitions";
import { APPLY_END_SECONDS, deploy, requireAgreement } from "./deploy";
import type { Deployment, Tools, Transition } from "./deploy";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import { lockProject } from "../project/project-lock";
import { agreed, proxiesOf } from "../proxies/proxies";
import type { ProxyStatus } from "../proxies/proxies";

export interface ReleaseOptions {
  readonly goal?: Goal;
  readonly schedule?: ScheduleChoice;
}

export function release(
  project: Project,
  tools: Tools,
  candidate: Candidate,
  options: ReleaseOptions,
): Promise<Deployment> {
  return deploy(project, tools, (record, observed, statuses) =>
    transitions.release(record, candidate, requireAgreement(observed, statuses), {
      ...intent(project),
      ...options,
    }),
  );
}

export function promote(project: Project, tools: Tools, to: Goal): Promise<Deployment> {
  return deploy(project, tools, (record, observed, statuses) =>
    transitions.promote(record, requireAgreement(observed, statuses), to),
  );
}

export async function rollback(
  project: Project,
  tools: Tools,
  schedule?: ScheduleChoice,
): Promise<Deployment> {
  const wanted = { ...intent(project), ...(schedule === undefined ? {} : { schedule }) };
  const deployment = await deploy(project, tools, (record, observed) =>
    observed === null
      ? transitions.rollbackOnDisagreement(record, wanted)
      : transitions.rollback(record, observed, wanted),
  );
  return deployment.exitCode === 0 ? { ...deployment, outcome: "rolledBack" } : deployment;
}

export function retry(project: Project, tools: Tools): Promise<Deployment> {
  return deploy(project, tools, (record, observed, statuses) => {
    const seen = observed ?? {
      live: null,
      releaseId: null,
      serving: [...new Set(statuses.flatMap(({ serving }) => serving))],
    };
    return transitions.retry(record, seen, candidateIsMissing(record, statuses));
  });
}

/** Gives servers that base replaced or added what the others serve; they get traffic once that is verified. */
export function heal(project: Project, tools: Tools, servers: readonly string[]): Promise<Deployment> {
  refuseUnknownServers(servers, project.environment);
  return deploy(project, tools, (record, observed, statuses) => {
    const next = transitions.heal(record, requireAgreement(observed, statuses), servers);
    // A heal that did not come to its end has to, even where all is well by now.
    const isHealed = statuses.every(
      ({ state: { result } }) => result?.sequence === record.sequence && result.outcome === "healed",
    );
    if (next.retry !== true || isHealed) refuseNothingToHeal(next, statuses, servers);
    makeLostFolders(project, tools, servers);
    return next;
  });
}

/**
 * Puts traffic back at once, whatever runs; then withdraws the candidate, so that record, Terraform and proxies
 * agree again. @returns null where there was nothing to abort.
 */
export async function abort(project: Project, tools: Tools): Promise<Deployment | null> {
  tools.progress.now("putting traffic back on what is stable");
  const record = readRecord(project);
  const proxies = proxiesOf(project, () => Promise.resolve(tools.terraform));
  const results = await proxies.abort(record);
  const frozen = results.find(({ exitCode }) => exitCode !== 0);
  if (frozen !== undefined) {
    return { goal: record.goal, from: null, to: null, seconds: 0, unfinished: [], ...frozen };
  }
  (await lockProject(project, APPLY_END_SECONDS)).release();
  const observed = agreed(await proxies.statuses(readRecord(project)));
  try {
    if (observed !== null) transitions.withdraw(readRecord(project), observed);
  } catch (error) {
    if (error instanceof Refusal && error.reason === "nothing-to-withdraw") return null;
    throw error;
  }
  const withdraw: Transition = (current, seen, statuses) =>
    transitions.withdraw(current, requireAgreement(seen, statuses));
  return deploy(project, tools, withdraw, true);
}

function intent(project: Project): transitions.Intent {
  return { environmentSchedule: project.environment.schedule };
}

/** Before the record says so: servers that nobody stands in for, and that serve well, are left alone. */
function refuseNothingToHeal(
  record: ReleaseRecord,
  statuses: readonly ProxyStatus[],
  servers: readonly string[],
): void {
  const wanted = idOrNull(target(record));
  for (const { endpoints, serving } of statuses) {
    const well = serving
      .flatMap((slot) => endpoints[slot])
      .filter(({ healthy, inRotation, releaseId }) => healthy && inRotation && releaseId === wanted);
    if (well.length > 0 && well.every(({ server }) => servers.includes(server))) {
      const names = [...new Set(well.map(({ server }) => server))].join(", ");
      throw new Refusal(
        "already-there",
        `nothing else serves ${wanted} than ${names}, and well: there is nothing to heal there`,
      );
    }
  }
}

/** On the local platform a folder is all that base makes of a web server; Terraform does not see that one is gone. */
function makeLostFolders(
  { folder, environment }: Project,
  { progress }: Tools,
  servers: readonly string[],
): void {
  if (!isLocal(environment)) return;
  for (const server of servers) {
    const lost = join(folder, serverFolder(environment, server));
    if (existsSync(lost)) continue;
    mkdirSync(lost, { mode: 0o750 });
    progress.note(`${server}: its folder was gone and is there again, empty`);
  }
}

/** Whether some endpoint of the candidate's slot does not answer as the candidate: its install failed. */
function candidateIsMissing(record: ReleaseRecord, statuses: readonly ProxyStatus[]): boolean {
  const wanted = idOrNull(target(record));
  return statuses.some(({ endpoints }) =>
    endpoints[record.active].some(({ healthy, releaseId }) => !healthy || releaseId !== wanted),
  );
}
