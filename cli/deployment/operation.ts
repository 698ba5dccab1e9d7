/** What somebody asks for: one transition of the record, not yet planned. */
import type { ReleaseRecord } from "../../release/record";
import type { Action } from "../../release/receipt";
import type { Observed } from "../../release/transitions";
import type { ProxyStatus } from "../proxies/proxies";

/** @param observed null where the proxies disagree. */
type Transition = (
  record: ReleaseRecord,
  observed: Observed | null,
  statuses: readonly ProxyStatus[],
) => ReleaseRecord;

export interface Operation {
  readonly action: Action;
  /** What the lock's holder does, in a few words. */
  readonly title: string;
  readonly transition: Transition;
  /** Done when the plan is agreed to, before it is applied. */
  readonly prepare?: () => void;
  /**
   * This sequence is the way out: many failed applies don't stop it, and it waits for an apply that was aborted, or
   * lost its command, to end. @default false
   */
  readonly clearsUp?: boolean;
}
