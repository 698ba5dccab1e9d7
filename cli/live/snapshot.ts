/** What the live view knows at one moment. All of it was seen; what could not be seen says so. */
import type { ReleaseRecord } from "../../release/record";
import type { Schedule } from "../../release/schedule";
import type { PerSlot } from "../../release/slot";
import type { LoadSnapshot } from "../load/messages";
import type { Sighting } from "../proxies/proxies";

export interface Snapshot {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly application: string;
  readonly environment: string;
  readonly record: ReleaseRecord;
  readonly schedule: Schedule;
  /** In the order in which they carry a schedule; empty until they were looked at. */
  readonly proxies: readonly ProxySnapshot[];
  /** Why nothing newer is known; null where all of it could be read. */
  readonly problem: string | null;
  /** Whether an apply runs from this project. @default true: somewhere else one may */
  readonly atWork?: boolean;
  /** The command's own requests, where it sends some. */
  readonly measured: LoadSnapshot | null;
}

export type ProxySnapshot = Sighting & {
  /** null where there was nothing yet to compare with, or the proxy does not count. */
  readonly rates: PerSlot<Rate> | null;
};

/** Of one slot, over the last seconds. */
export interface Rate {
  readonly perSecond: number;
  /** Failed answers of all, from 0 to 1. */
  readonly errorRatio: number;
}
