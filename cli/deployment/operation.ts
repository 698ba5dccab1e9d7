/** A requested transition of the record, not yet planned. */
import type { ReleaseRecord } from "../../release/record";
import type { Action } from "../../release/receipt";
import type { Observed } from "../../release/transitions";
import type { ProxyStatus } from "../../release/director-status";

/** @param observed null if the proxies disagree. */
type Transition = (
  record: ReleaseRecord,
  observed: Observed | null,
  statuses: readonly ProxyStatus[],
) => ReleaseRecord;

export interface Operation {
  readonly action: Action;
  /** What the lock's holder does, for messages. */
  readonly title: string;
  readonly transition: Transition;
  /** Runs after the confirmation, before the apply. */
  readonly prepare?: () => void;
  /**
   * This sequence recovers from failures: leftovers of failed applies don't stop it, and it waits for an aborted or
   * orphaned apply to end. @default false
   */
  readonly clearsUp?: boolean;
}
