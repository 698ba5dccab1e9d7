/**
 * abort: wins over whatever runs. A running director is asked first and ends by itself; then, or where none
 * runs, traffic goes back to stable, and the sequence can't promote any more.
 */
import type { Director } from "../director";
import { takeBack } from "../take-back";
import type { StepEnd } from "./step";

export async function abort(director: Director): Promise<StepEnd> {
  const { spec, state } = director;
  if (spec.sequence > state.sequence) {
    // Its apply has not come to begin yet: then begin shall refuse it.
    const { sequence, recordDigest, record } = spec;
    director.save({ sequence, recordDigest, record, finished: false, unfinished: [], journal: [] });
  }
  const traffic = await director.driver.observe();
  const settled = state.finished && state.phase === "stable" && spec.sequence <= state.sequence;
  const asStable =
    director.isOwn(traffic) && traffic.live === (state.stable?.slot ?? null) && traffic.mode === "serve";
  if (settled && asStable && (traffic.share === 0 || state.shared)) {
    return {
      outcome: "unchanged",
      reason: `nothing to abort: ${state.stable?.releaseId ?? "nothing"} is stable`,
    };
  }
  const begun = spec.sequence === director.state.sequence && director.state.phase === "stable";
  if (spec.healing.length > 0 && begun && asStable && (traffic.share === 0 || state.shared)) {
    // A heal moves no traffic between the slots; its servers wait for the next one.
    director.save({ aborted: true, finished: true });
    return { outcome: "rolledBack", reason: `${spec.healing.join(", ")} was not healed; the others go on` };
  }
  await takeBack(director, "aborted by an operator");
  director.save({ aborted: true, finished: true, candidate: null, shared: false });
  return {
    outcome: "rolledBack",
    reason: `all requests go to ${director.state.stable?.releaseId ?? "no release yet"}`,
  };
}
