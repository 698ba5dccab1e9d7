/**
 * Break glass: an operator on a proxy moves its users back to the release before, without Terraform, state or record. This
 * takes a sequence that no record has, so every earlier record is refused until `bluegreen recover` writes the next one.
 */
import * as z from "zod/mini";
import { InvalidInput, Refusal } from "./failure";
import { idOrNull, parseRecord, rollbackIsInstant } from "./record";
import type { ReleaseRecord } from "./record";
import { missingFrom } from "./release";
import { otherSlot, SLOTS } from "./slot";
import { inOneLine } from "./text";
import type { DirectorState, PlacedRelease } from "./director-status";

const Place = z.strictObject({ slot: z.enum(SLOTS), releaseId: z.string() });

/** What was done by hand on one proxy, in its director's state until a record takes it over. */
export const BrokenGlass = z.strictObject({
  /** Milliseconds since 1970, by the proxy's clock. */
  at: z.number(),
  /** In the operator's words. */
  reason: z.string(),
  /** The release that users left, or that was on its way to them. */
  from: Place,
  /** The release that all users of this proxy get since. */
  to: Place,
  /** Whether `from` had become stable. */
  wasStable: z.boolean(),
  /** The sequence that it took. */
  sequence: z.int(),
});
export type BrokenGlass = z.infer<typeof BrokenGlass>;

/** States, journals and receipts keep it, and Azure shows only the last 4 KiB of an output. */
const LONGEST_REASON = 200;

/** @throws InvalidInput if it is missing or too long. */
export function requireReason(given: string): string {
  const reason = inOneLine(given).trim();
  if (reason === "") throw new InvalidInput('a rollback by hand needs a reason: add --reason "<why>"');
  if (reason.length <= LONGEST_REASON) return reason;
  throw new InvalidInput(`--reason has ${reason.length} characters, at most ${LONGEST_REASON} are kept`);
}

/** @throws Refusal for a record from before users were moved by hand: applying it would move them back. */
export function requireTakenOver(sequence: number, broken: BrokenGlass | null | undefined): void {
  if (broken === null || broken === undefined || sequence > broken.sequence) return;
  throw new Refusal(
    "moved-by-hand",
    `${describeBrokenGlass(broken)}: \`bluegreen recover\` takes it over into the record`,
  );
}

export function describeBrokenGlass({ at, reason, from, to }: BrokenGlass): string {
  return `users were moved by hand at ${timeOf(at)} from ${from.releaseId} to ${to.releaseId} (${reason})`;
}

/** A state file may be edited. */
function timeOf(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? "an unknown time" : time.toISOString();
}

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
  const missing = missingFrom(kept, contracted);
  if (missing === undefined) return kept;
  throw new Refusal(
    "old-schema",
    `${kept.releaseId} in ${idle} needs what ${missing} removed from the database: release a version whose migrations include it`,
  );
}

/** The record that the state carries; null if there is none, as in version 0.1.0. */
function appliedRecord({ record }: Pick<DirectorState, "record">): ReleaseRecord | null {
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
 * nothing; a proxy that was not moved follows at once, after verification.
 * @param sequence higher than every known one.
 */
export function takenOver(
  inForce: ReleaseRecord,
  { from, to, wasStable }: BrokenGlass,
  sequence: number,
): ReleaseRecord {
  const { converge: _, migrate: __, resolve: ___, ...rest } = inForce;
  return {
    ...rest,
    sequence,
    active: to.slot,
    goal: "live",
    previous: wasStable ? inForce.slots[from.slot] : null,
    retry: true,
    schedule: { strategy: "blueGreen", steps: [100] },
  };
}
