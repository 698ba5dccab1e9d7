/**
 * rollback: break glass. An operator on the proxy moves all its users to the release before, with nothing from outside: to
 * stable if a candidate is on its way, otherwise to the release that is kept in the other slot. Each proxy for itself.
 */
import { keptRelease } from "../../../release/break-glass";
import type { BrokenGlass } from "../../../release/moved-by-hand";
import type { PlacedRelease, Traffic } from "../../../release/director-status";
import { EXIT } from "../../../release/exit-code";
import { Failure, Refusal } from "../../../release/failure";
import { activateStable } from "../activation";
import { describeTraffic } from "../director";
import type { Director } from "../director";
import { failedAfter } from "../roll-back";
import { verifyAtOnce } from "../verify-at-once";
import type { Found } from "../verify-at-once";
import type { State } from "../state";
import type { StepEnd } from "./step";

/** Where users go, and what they leave. */
interface Way {
  readonly to: PlacedRelease;
  readonly from: BrokenGlass["from"];
  /** The artifact of `from`; null if the state has noted it already. */
  readonly sha256: string | null;
  readonly wasStable: boolean;
}

/**
 * @param interrupted the state before a running director was asked to stop; null if none ran.
 * @throws Failure, Refusal; then nothing was changed.
 */
export async function breakGlass(
  director: Director,
  reason: string,
  interrupted: State | null = null,
): Promise<StepEnd> {
  const { state, clock } = director;
  const observed = await director.driver.observe();
  const way = stopped(state, interrupted) ?? wayBack(director, observed);
  if (way === null) return already(director);

  const { to, from, sha256, wasStable } = way;
  const isThere = observed.live === to.slot && observed.weight === 0;
  const found = isThere ? null : await requireHealthy(director, to);
  const startedAt = clock.now();
  const broken: BrokenGlass = state.brokenGlass ?? {
    ...{ at: startedAt, reason, wasStable, sequence: state.sequence + 1 },
    from,
    to: placeOf(to),
  };
  director.logEvent("break-glass", {
    ...broken,
    observed: { ...observed },
    notHealthy: found?.problems ?? [],
  });
  // Saved first: whatever comes after a crash here goes on in this direction.
  director.save({
    ...{ sequence: broken.sequence, recordDigest: "", finished: true, aborted: true },
    ...{ stable: to, candidate: null, weight: 0, deadline: null, shared: false, retainedUntil: null },
    ...{ phase: "aborting", unfinished: [], brokenGlass: broken },
    // A candidate that got no request has not failed.
    failedDigests:
      sha256 === null || (isThere && !wasStable)
        ? state.failedDigests
        : failedAfter(state.failedDigests, { ...from, sha256 }, `left by hand: ${broken.reason}`),
    journal: [
      {
        at: broken.at,
        event: "byHand",
        slot: to.slot,
        from: from.releaseId,
        releaseId: to.releaseId,
        reason: broken.reason,
      },
    ],
  });
  if (found !== null && found.foreign.length > 0) {
    director.logEvent("rotation", { slot: to.slot, exclude: found.foreign });
    await director.driver.exclude(to.slot, found.foreign);
  }
  // What was changed past the director is its own from now on.
  if (!isThere || observed.fallback || !director.isAsSet(observed)) {
    await director.setTraffic({ ...observed, live: to.slot, weight: 0, mode: "serve", fallback: false });
  }
  // Users are served. An instance that does not answer may take long to be notified.
  director.logEvent("moved", { to: to.releaseId, milliseconds: clock.now() - startedAt });
  await activateStable(director);
  director.save({ phase: "stable" });
  const others = (found?.problems ?? []).map((problem) => `; not healthy: ${problem}`).join("");
  return {
    outcome: "rolledBack",
    reason: `all requests go to ${to.releaseId} in ${to.slot}, not to ${from.releaseId}${others}`,
  };
}

/** The running director has already moved users to stable, because it was asked to stop. Its sequence must not go on. */
function stopped({ stable, sequence, brokenGlass, finished }: State, interrupted: State | null): Way | null {
  if (interrupted === null || stable === null || brokenGlass !== null || !finished) return null;
  const candidate = candidateOf(interrupted, stable);
  const isSame = interrupted.sequence === sequence && interrupted.stable?.releaseId === stable.releaseId;
  if (!isSame || candidate === null || candidate.slot === stable.slot) return null;
  return { to: stable, from: placeOf(candidate), sha256: null, wasStable: false };
}

/** @returns null if it was done before. @throws Refusal if there is no way back. */
function wayBack(director: Director, observed: Traffic): Way | null {
  const { state } = director;
  const { stable, shared, finished, brokenGlass } = state;
  if (stable === null)
    throw new Refusal("nothing-live", "nothing is live on this proxy: there is nothing to roll back");
  const candidate = candidateOf(state, stable);
  if (observed.mode !== "serve" || candidate?.slot === stable.slot) {
    throw new Refusal(
      "not-possible-here",
      `a recreate of ${stable.slot} is under way (${describeTraffic(observed)}): no other release runs beside it. It ends as soon as an instance answers there`,
    );
  }
  if (brokenGlass !== null) {
    const isDone = observed.live === stable.slot && observed.weight === 0 && state.phase === "stable";
    const { from, wasStable } = brokenGlass;
    return isDone ? null : { to: stable, from, sha256: null, wasStable };
  }
  const isUnderWay = candidate !== null && (!finished || (observed.weight > 0 && !shared));
  return isUnderWay
    ? { to: stable, from: placeOf(candidate), sha256: candidate.sha256, wasStable: false }
    : { to: keptRelease(state), from: placeOf(stable), sha256: stable.sha256, wasStable: true };
}

/**
 * The release on its way to users: also one that is still being installed, which the next step would move users to. A
 * release that has just become stable is none, even if the director was killed then.
 */
function candidateOf(
  { candidate, recorded, record, finished }: State,
  stable: PlacedRelease,
): PlacedRelease | null {
  if (candidate !== null) return candidate.releaseId === stable.releaseId ? null : candidate;
  if (finished) return null;
  const target = recorded.find(({ slot }) => slot === record?.["active"]) ?? null;
  return target?.releaseId === stable.releaseId ? null : target;
}

function placeOf({ slot, releaseId }: PlacedRelease): BrokenGlass["from"] {
  return { slot, releaseId };
}

async function requireHealthy(director: Director, { slot, releaseId }: PlacedRelease): Promise<Found> {
  const found = await verifyAtOnce(director, slot, releaseId);
  if (found.well.length > 0) return found;
  const { live } = await director.driver.observe();
  throw new Failure(
    `${releaseId} in ${slot} is not healthy: ${found.problems.join("; ")}. Nothing was changed, all requests still go to ${live ?? "no slot"}. Start it there, then run this again`,
    EXIT.refused,
  );
}

function already({ state }: Director): StepEnd {
  const { brokenGlass, stable } = state;
  return {
    outcome: "unchanged",
    reason: `all requests go to ${stable!.releaseId} in ${stable!.slot} already, since ${new Date(brokenGlass!.at).toISOString()} (${brokenGlass!.reason})`,
  };
}
