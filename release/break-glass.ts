/**
 * Break glass: an operator on a proxy moves its users back to the release before, without Terraform, state or record. Where
 * they may go, and the record that takes it over.
 */
import type { DirectorState, PlacedRelease } from "./director-status";
import { Refusal } from "./failure";
import { requireSchema } from "./gate";
import type { BrokenGlass } from "./moved-by-hand";
import { idOrNull, parseRecord, rollbackIsInstant } from "./record";
import type { ReleaseRecord } from "./record";
import { otherSlot } from "./slot";

/**
 * The release that still runs in the other slot and was stable before the stable one, as the director's state knows it.
 * @throws Refusal if there is none, or if a contract migration removed what it needs.
 */
export function keptRelease(
  state: Pick<DirectorState, "stable" | "recorded" | "record" | "shared" | "contracted">,
): PlacedRelease {
  const { stable, recorded, shared, contracted } = state;
  if (stable === null)
    throw new Refusal("nothing-live", "nothing is live on this proxy: there is nothing to roll back");
  const idle = otherSlot(stable.slot);
  const record = appliedRecord(state);
  const nothing = (why: string): Refusal =>
    new Refusal(
      "nothing-to-roll-back-to",
      `${stable.releaseId} in ${stable.slot} gets all requests, and nothing is kept beside it: ${why}`,
    );
  if (shared || record?.converge === true) throw nothing(`${idle} serves the same release`);
  const kept = recorded.find(({ slot }) => slot === idle);
  if (kept === undefined) throw nothing(`${idle} is empty`);
  const isPromoted =
    record?.active === stable.slot && idOrNull(record.slots[stable.slot]) === stable.releaseId;
  if (!isPromoted || !rollbackIsInstant(record) || idOrNull(record.previous) !== kept.releaseId) {
    throw nothing(`${kept.releaseId} in ${idle} was not live before it`);
  }
  requireSchema(`${kept.releaseId} in ${idle}`, kept, contracted);
  return kept;
}

/** The record that the state carries; null if there is none, as in version 0.1.0. */
export function appliedRecord({ record }: Pick<DirectorState, "record">): ReleaseRecord | null {
  try {
    return record === undefined ? null : parseRecord(JSON.stringify(record), "the proxy's record");
  } catch {
    return null;
  }
}

/** Whether a record is the one that was in force when users were moved by hand. */
export function wasInForce({ active, slots }: ReleaseRecord, { from, to }: BrokenGlass): boolean {
  return (
    active === from.slot &&
    idOrNull(slots[from.slot]) === from.releaseId &&
    idOrNull(slots[to.slot]) === to.releaseId
  );
}

/**
 * The record that asks for what was done by hand. Its slots are those of the record in force, so applying it installs
 * nothing.
 * @param sequence higher than every known one. @param behind proxies that were not moved: they catch up in the next one.
 */
export function takenOver(
  inForce: ReleaseRecord,
  { from, to, wasStable, sequence: follows }: BrokenGlass,
  sequence: number,
  behind: readonly string[] = [],
): ReleaseRecord {
  const { converge: _, retry: __, schedule: ___, migrate: ____, resolve: _____, ...record } = inForce;
  const { catchUp: ______, leftOut: _______, endSessions: ________, rollsBack: _________, ...rest } = record;
  return {
    ...rest,
    sequence,
    active: to.slot,
    goal: "live",
    previous: wasStable ? inForce.slots[from.slot] : null,
    ...(behind.length === 0 ? {} : { leftOut: [...behind].sort() }),
    follows,
  };
}
