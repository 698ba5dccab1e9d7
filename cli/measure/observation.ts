/**
 * What users get while a sequence runs: the command's GETs at the public address, for its live view and its receipt.
 * Measuring never makes a release fail: an error here is only a sentence in the receipt.
 *
 *     startObservation, once a release is live -> snapshot()* -> stop, or kill
 */
import type { MeasuredRequests } from "../../release/receipt";
import type { Load, LoadProps } from "../load/load";
import type { LoadSnapshot } from "../load/messages";
import type { Project } from "../project/project";
import { environmentLoad } from "./environment-load";
import { measuredRequests } from "./measured-requests";

/** The two fields of a receipt: exactly one of them is null. */
export interface ObservedRequests {
  readonly requests: MeasuredRequests | null;
  readonly notMeasured: string | null;
}

export interface Observation {
  /** At most a second old; null if nothing is measured, or within the first second. */
  snapshot(): LoadSnapshot | null;
  /**
   * Stops the requests and waits at most 10 seconds for those in flight. Never rejects; a second call gives the same.
   */
  stop(): Promise<ObservedRequests>;
  /** Ends the process at once, without figures. */
  kill(): Promise<void>;
}

/**
 * Starts the load of the environment's `measurement`. Never rejects.
 * Before a first release nothing is live, which is not a failure: use `nothingToObserve` then.
 */
export async function startObservation(
  { environment }: Pick<Project, "environment">,
  props: LoadProps = {},
): Promise<Observation> {
  const { plan: input, notMeasured } = environmentLoad(environment);
  if (input === null) return nothingToObserve(notMeasured);
  // Loaded on use: most commands measure nothing.
  const [{ Load }, { parseLoadPlan }] = await Promise.all([
    import("../load/load.js"),
    import("../load/plan.js"),
  ]);
  const load = new Load(props);
  try {
    const plan = parseLoadPlan(input);
    await load.start(plan);
    return observe(load, plan);
  } catch (error) {
    await load.kill();
    return nothingToObserve((error as Error).message);
  }
}

/** @param reason for the receipt instead of figures, such as "nothing was live before". */
export function nothingToObserve(reason: string): Observation {
  return {
    snapshot: () => null,
    stop: () => Promise.resolve({ requests: null, notMeasured: reason }),
    kill: () => Promise.resolve(),
  };
}

function observe(load: Load, plan: { readonly origin: string; readonly rate: number }): Observation {
  return {
    snapshot() {
      const snapshot = load.snapshot();
      return snapshot.lastSecond === null ? null : snapshot;
    },
    async stop() {
      try {
        const totals = await load.stop();
        return { requests: measuredRequests(plan, totals, load.timeline()), notMeasured: null };
      } catch (error) {
        return { requests: null, notMeasured: (error as Error).message };
      }
    },
    kill: () => load.kill(),
  };
}
