/**
 * A proxy that missed a sequence, or came back with an old state (its machine was restored from a backup), does not go on
 * from there: begin refuses it, unless the record names it. Then it first verifies what the other proxies have live, and
 * moves its users there.
 */
import { Failure, Refusal } from "../../release/failure";
import { EXIT } from "../../release/exit-code";
import { isSame } from "../../release/gate";
import { otherSlot, SLOTS } from "../../release/slot";
import { bucketOffset, placed } from "./director";
import type { Director } from "./director";
import type { PlacedRelease } from "../../release/director-status";
import { admit } from "./verify";

const HALF = 50;

/**
 * @returns what it caught up with; null if it was up to date.
 * @throws Refusal if its state is older than what the record follows. @throws Failure if the release does not verify.
 */
export async function catchUp(director: Director): Promise<string | null> {
  const { spec, state } = director;
  const { catchUp: wanted, follows = 0, proxy } = spec;
  const isOlder = state.sequence < follows;
  if (wanted?.proxies.includes(proxy.name) !== true) {
    if (isOlder) throw refusal(director, follows);
    return null;
  }
  const { release, shared = false } = wanted;
  if (release === null) return null;
  const live = placeOf(director, release);
  const isSameStable = state.stable?.slot === live.slot && isSame(live, state.stable);
  if (!isOlder && isSameStable && state.shared === shared) return null;

  director.logEvent("behind", { known: state.sequence, stable: state.stable?.releaseId ?? null, release });
  // From here on the state is this sequence's, so that its journal has what follows.
  const { sequence, recordDigest, record } = spec;
  director.save({
    ...{ sequence, recordDigest, record, finished: false, aborted: false },
    ...{ phase: "stable", candidate: null, weight: 0, deadline: null, retainedUntil: null },
    ...{ unfinished: [], journal: [] },
  });
  for (const slot of shared ? SLOTS : [live.slot]) await requireVerified(director, slot, live);
  director.save({ stable: live, shared, active: live.slot });
  await director.setTraffic({
    live: live.slot,
    weight: shared ? HALF : 0,
    offset: bucketOffset(live.releaseId),
    mode: "serve",
    fallback: shared,
  });
  if (!shared) await director.drain(otherSlot(live.slot), { cut: false });
  return release;
}

/** The release's slot in the record: the other slot (before a release), the target's, or the target's before a recreate. */
function placeOf({ spec }: Director, release: string): PlacedRelease {
  const slot = SLOTS.find((each) => spec.slots[each]?.releaseId === release);
  const found =
    slot !== undefined
      ? placed(slot, spec.slots[slot])
      : spec.previous?.releaseId === release
        ? placed(spec.target, spec.previous)
        : null;
  if (found !== null) return found;
  throw new Failure(
    `${spec.proxy.name} can't catch up with ${release}: record ${spec.sequence} has it in no slot`,
    EXIT.refused,
  );
}

async function requireVerified(
  director: Director,
  slot: PlacedRelease["slot"],
  { releaseId }: PlacedRelease,
): Promise<void> {
  const verdict = await admit(director, slot, releaseId);
  if (verdict.passed) return;
  throw new Failure(
    `${director.spec.proxy.name} is behind and can't catch up with ${releaseId}: ${verdict.reason}; its traffic is unchanged. Keep it away from users, and \`bluegreen retry\` when ${slot} is well`,
    EXIT.refused,
  );
}

function refusal({ spec: { proxy }, state }: Director, follows: number): Refusal {
  return new Refusal(
    "proxy-behind",
    `${proxy.name} is at record ${state.sequence} with ${state.stable?.releaseId ?? "nothing"} live, but record ${follows} was applied here: it came back with an old state. \`bluegreen heal ${proxy.name}\` verifies what the other proxies serve and moves its users there`,
  );
}
