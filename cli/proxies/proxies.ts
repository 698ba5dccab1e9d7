/** The command's interface to an environment's proxies: status and abort. */
import type { ProxyStatus, StepResult } from "../../release/director-status";
import type { Silent, Survey } from "../../release/taking-part";
import { EXIT } from "../../release/exit-code";
import { Failure } from "../../release/failure";
import type { ReleaseRecord } from "../../release/record";
import type { Observed } from "../../release/transitions";

/** One poll of one proxy: its status, or why there is none. */
export type PollResult =
  | { readonly proxy: string; readonly status: ProxyStatus; readonly problem: null }
  | { readonly proxy: string; readonly status: null; readonly problem: string };

export interface PollOptions {
  /** Nothing is asked that would count as a user's request. @default false */
  readonly unseen?: boolean;
}

export interface Proxies {
  /** Whether this machine can reach a running director, to abort it. */
  readonly reachable: boolean;
  baseIsDeployed(record: Pick<ReleaseRecord, "sequence">): boolean;
  /**
   * What each proxy that ever ran a step answers, and which ones do not answer within a time limit.
   * @param without proxies that are not asked.
   */
  survey(record: ReleaseRecord, without?: readonly string[]): Promise<Survey>;
  /** For repeated use: one result for each proxy, reachable or not, without effect on a running release. */
  poll(record: ReleaseRecord, options?: PollOptions): Promise<PollResult[]>;
  /** Rolls back to stable on every proxy that answers, after a running step has ended there. */
  abort(record: ReleaseRecord, without?: readonly string[]): Promise<Aborted>;
}

/** How each proxy's director aborted. */
export interface Aborted {
  readonly results: readonly StepResult[];
  readonly silent: readonly Silent[];
}

/** Why nothing shows what users get: steps were deleted, or failed, and azurerm keeps failed ones in no state. */
export const NO_REPORT =
  "what users get is not known here, as Terraform's state of web has no report of a proxy: `bluegreen retry` runs the record's steps again, and begin asks the proxies";

/** For callers that must know what users of every proxy get. @throws Failure naming each proxy that does not answer. */
export function requireAll({ statuses, silent }: Survey): readonly ProxyStatus[] {
  if (silent.length === 0) return statuses;
  throw new Failure(silent.map(({ problem }) => problem).join("; "), EXIT.unexpected);
}

/** What users get, if all proxies agree; otherwise null: one proxy serves what another rejected. */
export function agreed(statuses: readonly ProxyStatus[]): Observed | null {
  const [first] = statuses;
  if (first === undefined) return NOTHING_LIVE;
  const id = (status: ProxyStatus) => status.state.stable?.releaseId ?? null;
  if (statuses.some((status) => id(status) !== id(first))) return null;
  const serving = [...new Set(statuses.flatMap((status) => status.serving))];
  return { live: first.state.stable?.slot ?? null, releaseId: id(first), serving };
}

/** Like {@link agreed}; null too if nothing shows what users get. */
export function usersGet(
  { unknown }: Pick<Survey, "unknown">,
  statuses: readonly ProxyStatus[],
): Observed | null {
  return unknown === undefined ? agreed(statuses) : null;
}

const NOTHING_LIVE: Observed = { live: null, releaseId: null, serving: [] };
