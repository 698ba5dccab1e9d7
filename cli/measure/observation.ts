/**
 * What users meet while a sequence runs: the command's own GETs at the public address, for its live view and its
 * receipt. Measuring is never a reason for a release to fail: whatever goes wrong here is a sentence in the receipt.
 *
 *     startObservation, once somebody is served -> snapshot()* -> stop, or kill
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
  /** At most a second old; null where nothing is measured, or no second is over yet. */
  snapshot(): LoadSnapshot | null;
  /**
   * Ends the requests, waiting for those under way (10 seconds at most). Does not reject; a second call gives the same.
   */
  stop(): Promise<ObservedRequests>;
  /** Ends the process at once, without figures. */
  kill(): Promise<void>;
}

/**
 * Starts what the environment's `measurement` says. Does not reject.
 * Before a first release nobody is served, and that is no failure: use `nothingToObserve` then.
 */
export async function startObservation(
  { environment }: Pick<Project, "environment">,
  props: LoadProps = {},
): Promise<Observation> {
  const { plan: input, notMeasured } = environmentLoad(environment);
  if (input === null) return nothingToObserve(notMeasured);
  // Loaded here: most commands measure nothing.
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

/** @param reason what the receipt says instead of figures, such as "nothing was live before". */
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
