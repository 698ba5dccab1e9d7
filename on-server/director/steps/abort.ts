/**
 * abort: wins over whatever runs. A running director is asked first and ends by itself; then, or where none
 * runs, traffic goes back to stable, and the sequence can't promote any more.
 */
import { abortOf } from "../../../release/gate";
import type { Director } from "../director";
import { rollBack } from "../roll-back";
import type { StepEnd } from "./step";

export async function abort(director: Director): Promise<StepEnd> {
  const { spec, state } = director;
  if (spec.sequence > state.sequence) {
    // Its apply has not come to begin yet: then begin shall refuse it.
    const { sequence, recordDigest, record } = spec;
    director.save({ sequence, recordDigest, record, finished: false, unfinished: [], journal: [] });
  }
  const traffic = await director.driver.observe();
  const { live, mode, weight } = traffic;
  const serves = live === (state.stable?.slot ?? null) && mode === "serve" && (weight === 0 || state.shared);
  const due = abortOf(spec, state, director.isAsSet(traffic) && serves);
  if (due === "nothing") {
    return {
      outcome: "unchanged",
      reason: `nothing to abort: ${state.stable?.releaseId ?? "nothing"} is stable`,
    };
  }
  if (due === "endHeal") {
    // The healed servers wait for the next heal.
    director.save({ aborted: true, finished: true });
    return { outcome: "rolledBack", reason: `${spec.healing.join(", ")} was not healed; the others go on` };
  }
  await rollBack(director, "aborted by an operator");
  director.save({ aborted: true, finished: true, candidate: null, shared: false });
  return {
    outcome: "rolledBack",
    reason: `all requests go to ${director.state.stable?.releaseId ?? "no release yet"}`,
  };
}
