/** What the command asks of an environment's proxies: what users get, and to put traffic back. */
import type { Comparison, JournalEntry } from "../../release/journal";
import type { ReleaseRecord } from "../../release/record";
import type { PerSlot, Slot } from "../../release/slot";
import type { Observed } from "../../release/transitions";

/** What `director status` answers. */
export interface ProxyStatus {
  readonly proxy: string;
  readonly traffic: { readonly live: Slot | null; readonly share: number; readonly mode: string };
  readonly serving: readonly Slot[];
  readonly state: {
    readonly sequence: number;
    readonly phase: string;
    readonly finished: boolean;
    readonly stable: { readonly slot: Slot; readonly releaseId: string } | null;
    readonly candidate: { readonly slot: Slot; readonly releaseId: string } | null;
    readonly weight: number;
    readonly deadline: number | null;
    /** Until when the idle slot is kept for an instant rollback, in milliseconds since 1970. */
    readonly retainedUntil: number | null;
    readonly unfinished: readonly Unfinished[];
    /** What happened in this sequence; not there where the director is older. */
    readonly journal?: readonly JournalEntry[];
    readonly result: StepResult | null;
  };
  readonly endpoints: PerSlot<readonly EndpointStatus[]>;
  /** What the proxy counted since it started; not there where only its last step's words are known. */
  readonly counts?: PerSlot<SlotCounts>;
  /** Set where this is what the proxy said at that time, not what it says now. */
  readonly at?: string;
}

export interface SlotCounts {
  readonly requests: number;
  /** Answers with status 5xx, the proxy's own included. */
  readonly errors: number;
  readonly inFlight: number;
}

/** One look at one proxy: what it says, or why it says nothing. */
export type Sighting =
  | { readonly proxy: string; readonly status: ProxyStatus; readonly problem: null }
  | { readonly proxy: string; readonly status: null; readonly problem: string };

/** Requests, WebSockets and downloads that ran longer than the time to drain. */
export interface Unfinished {
  readonly slot: Slot;
  readonly running: number;
  /** Whether they were ended, or go on in the old slot. */
  readonly cut: boolean;
}

export interface EndpointStatus {
  readonly server: string;
  readonly address: string;
  readonly releaseId: string | null;
  readonly healthy: boolean;
  readonly inRotation: boolean;
}

export interface StepResult {
  readonly step: string;
  readonly sequence: number;
  readonly exitCode: number;
  readonly outcome: string;
  readonly reason: string;
  readonly comparison: Comparison | null;
}

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
