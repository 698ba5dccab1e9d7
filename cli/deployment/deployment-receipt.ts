/** The receipt of a sequence that this command ran: the plan, the directors' journals, what users got. */
import type { HookRun } from "../../release/hook-run";
import type { Receipt } from "../../release/receipt";
import { scheduleOf } from "../../release/record";
import type { Operation } from "./operation";
import type { Deployment } from "./outcome";
import type { Planned } from "./planning";
import type { ObservedRequests } from "../measure/observation";
import { currentPerson } from "../project/person";
import type { Project } from "../project/project";
import type { ProxyStatus } from "../../release/director-status";

export interface CarriedOut {
  readonly operation: Operation;
  readonly planned: Planned;
  readonly statuses: readonly ProxyStatus[];
  readonly ended: Omit<Deployment, "receipt" | "requests" | "logs">;
  readonly users: ObservedRequests;
  readonly hooks: readonly HookRun[];
  readonly freezeOverride: Receipt["freezeOverride"];
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
}

export function receiptOf(
  { environment }: Project,
  { operation, planned, statuses, ended, users, hooks, freezeOverride, startedAt, endedAt }: CarriedOut,
): Receipt {
  const { before, next, observed, plan, proof, token, warnings } = planned;
  const { sequence, goal, from, to, outcome, exitCode, reason, seconds } = ended;
  const changes = plan.changes
    .filter(({ actions }) => actions.some((each) => each !== "no-op"))
    .map(({ address, actions }) => ({ address, actions: [...actions] }));
  return {
    formatVersion: 1,
    application: environment.application,
    environment: environment.name,
    sequence,
    action: operation.action,
    who: currentPerson(),
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(endedAt).toISOString(),
    ...{ seconds, from, to, outcome, exitCode, reason, goal },
    schedule: scheduleOf(next, environment),
    record: { before, after: next },
    plan: { live: observed?.live ?? null, proof, changes, token },
    proxies: statuses.flatMap(({ proxy, state }) =>
      state.sequence === next.sequence ? [{ proxy, journal: [...state.journal] }] : [],
    ),
    ...users,
    hooks: [...hooks],
    warnings: [...warnings],
    freezeOverride,
  };
}
