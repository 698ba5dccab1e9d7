/** The two places for a release. *Active* and *idle* are roles; blue and green are places. */
export const SLOTS = ["blue", "green"] as const;

/** A place for a release. The record states which one is active. @useDeclaredType */
export type Slot = (typeof SLOTS)[number];

/** One value for each slot. */
export type PerSlot<T> = Readonly<Record<Slot, T>>;

export function otherSlot(slot: Slot): Slot {
  return slot === "blue" ? "green" : "blue";
}
