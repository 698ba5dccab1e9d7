/** The operator's commands: each is a transition of the record, carried out by {@link deploy}. */
import { idOrNull, target } from "../release/record";
import type { Goal, ReleaseRecord } from "../release/record";
import { Refusal } from "../release/refusal";
import type { Candidate } from "../release/release";
import type { ScheduleChoice } from "../release/schedule";
import * as transitions from "../release/transitions";
import { APPLY_END_SECONDS, deploy, requireAgreement } from "./deploy";
import type { Deployment, Tools, Transition } from "./deploy";
import { readRecord } from "./project";
import type { Project } from "./project";
import { lockProject } from "./project-lock";
import { agreed, proxiesOf } from "./proxies";
import type { ProxyStatus } from "./proxies";

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
    return { goal: record.goal, from: null, to: null, seconds: 0, ...frozen };
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

/** Whether some endpoint of the candidate's slot does not answer as the candidate: its install failed. */
function candidateIsMissing(record: ReleaseRecord, statuses: readonly ProxyStatus[]): boolean {
  const wanted = idOrNull(target(record));
  return statuses.some(({ endpoints }) =>
    endpoints[record.active].some(({ healthy, releaseId }) => !healthy || releaseId !== wanted),
  );
}
