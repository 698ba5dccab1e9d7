/** A release that a fault meets: the environment it runs in, how it is started, and what is known of it while it runs. */
import type { Running } from "../testbed/processes";

/** The environments that rows are played in; each begins with one release live. */
export type WorldKind = "plain" | "split" | "database" | "smallDisks";

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
}
