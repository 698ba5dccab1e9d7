/** What the live view knows at one moment. */
import type { ReleaseRecord } from "../../release/record";
import type { Schedule } from "../../release/schedule";
import type { PerSlot } from "../../release/slot";
import type { LoadSnapshot } from "../load/messages";
import type { PollResult } from "../proxies/proxies";

export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly application: string;
  readonly environment: string;
  readonly record: ReleaseRecord;
  readonly schedule: Schedule;
  /** In the order of the schedule; empty before the first poll. */
  readonly proxies: readonly ProxySnapshot[];
  /** Why the last poll failed; null if it succeeded. */
  readonly problem: string | null;
  /** Whether an apply runs. @default true: unknown, another machine may run one */
  readonly atWork?: boolean;
  /** The command's synthetic requests; null if it sends none. */
  readonly measured: LoadSnapshot | null;
}

export type ProxySnapshot = PollResult & {
  /** null after the first reading, or if the proxy has no counters. */
  readonly rates: PerSlot<Rate> | null;
};

/** One slot's requests over the last seconds. */
export interface Rate {
  readonly perSecond: number;
  /** Failed requests divided by all requests, 0 to 1. */
  readonly errorRatio: number;
}
