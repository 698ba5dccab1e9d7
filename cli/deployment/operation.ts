/** A requested transition of the record, not yet planned. */
import type { EndSessions, ReleaseRecord } from "../../release/record";
import type { Action } from "../../release/receipt";
import type { Demands } from "../../release/taking-part";
import type { Observed } from "../../release/transitions";
import type { ProxyStatus } from "../../release/director-status";

/** @param observed null if the proxies disagree. @param statuses of the proxies that are up to date. */
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
  /** What it does about proxies that don't answer or are behind. @default it needs all of them, up to date */
  readonly proxies?: Partial<Demands>;
  /** The sessions that it ends instead of waiting for them. @default it waits */
  readonly endSessions?: EndSessions;
  /** Runs after the confirmation, before the apply. */
  readonly prepare?: () => void;
  /**
   * This sequence recovers from failures: leftovers of failed applies don't stop it, and it waits for an aborted or
   * orphaned apply to end. @default false
   */
  readonly clearsUp?: boolean;
}
