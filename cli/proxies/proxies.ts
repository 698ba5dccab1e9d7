/** What the command asks of an environment's proxies: what users get, and to put traffic back. */
import type { ProxyStatus, StepResult } from "../../release/director-status";
import type { ReleaseRecord } from "../../release/record";
import type { Observed } from "../../release/transitions";

export type {
  EndpointStatus,
  ProxyStatus,
  SlotCounts,
  StepResult,
  Unfinished,
} from "../../release/director-status";

/** One look at one proxy: what it says, or why it says nothing. */
export type Sighting =
  | { readonly proxy: string; readonly status: ProxyStatus; readonly problem: null }
  | { readonly proxy: string; readonly status: null; readonly problem: string };

export interface Proxies {
  /** Whether a director can be told to abort while its step runs. */
  readonly reachable: boolean;
  baseIsDeployed(): boolean;
  /** One for each proxy that ever ran a step. */
  statuses(record: ReleaseRecord): Promise<ProxyStatus[]>;
  /**
   * The same for somebody who looks again and again, while others are at work: one for each proxy, whether it can be
   * asked or not, and nothing that a release under way could notice.
   */
  look(record: ReleaseRecord): Promise<Sighting[]>;
  /** Puts traffic back on stable, on every proxy; whatever runs there ends first. */
  abort(record: ReleaseRecord): Promise<StepResult[]>;
}

/**
 * What users get, as all proxies agree; null where they don't: one of several serves what another rejected.
 */
export function agreed(statuses: readonly ProxyStatus[]): Observed | null {
  const [first] = statuses;
  if (first === undefined) return NOTHING_LIVE;
  const id = (status: ProxyStatus) => status.state.stable?.releaseId ?? null;
  if (statuses.some((status) => id(status) !== id(first))) return null;
  const serving = [...new Set(statuses.flatMap((status) => status.serving))];
  return { live: first.state.stable?.slot ?? null, releaseId: id(first), serving };
}

const NOTHING_LIVE: Observed = { live: null, releaseId: null, serving: [] };
