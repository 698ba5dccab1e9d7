/**
 * abort: wins over a running step. main.ts first waits until the running director has stopped. Then all traffic goes
 * back to stable, and the sequence can no longer promote.
 */
import { abortOf } from "../../../release/gate";
import type { Director } from "../director";
import { rollBack } from "../roll-back";
import { endWatch } from "../users";
import type { StepEnd } from "./step";

export async function abort(director: Director): Promise<StepEnd> {
  const { spec, state } = director;
  if (spec.sequence > state.sequence) {
    // Its apply has not reached begin yet: begin will refuse it.
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
      reason: `nothing to abort: ${state.stable?.releaseId ?? "no release"} is stable`,
    };
  }
  if (due === "endHeal") {
    // The servers stay out of rotation until the next heal.
    await endWatch(director);
    director.save({ aborted: true, finished: true });
    return {
      outcome: "rolledBack",
      reason: `heal of ${spec.healing.join(", ")} aborted; the other servers keep serving`,
    };
  }
  await endWatch(director);
  await rollBack(director, "aborted by an operator", { sure: true });
  director.save({ aborted: true, finished: true, candidate: null, shared: false });
  const { stable } = director.state;
  return {
    outcome: "rolledBack",
    reason: stable === null ? "no release is live" : `all requests go to ${stable.releaseId}`,
  };
}
