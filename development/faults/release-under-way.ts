/** A release during which a fault is injected: its environment, how to start it, and the running release. */
import type { Running } from "../testbed/processes";

/** The environments of the rows. Each begins with one live release. */
export type WorldKind = "plain" | "split" | "database" | "smallDisks" | "twoProxies";

export interface ReleaseWish {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Instead of the sample application's next release. */
  readonly artifact?: readonly string[];
  readonly version?: string;
}

export interface ReleaseUnderWay {
  readonly running: Running;
  readonly sequence: number;
  readonly version: string;
  /** What users get if it succeeds. */
  readonly releaseId: string;
  /** The release that an abort ends. */
  readonly aborted?: Running;
}
