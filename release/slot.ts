/** The two places a release can stand in. *Active* and *idle* are roles; blue and green are places. */
export const SLOTS = ["blue", "green"] as const;

/** A place for a release; which one is active is in the record. @useDeclaredType */
export type Slot = (typeof SLOTS)[number];

/** One value for each slot. */
export type PerSlot<T> = Readonly<Record<Slot, T>>;

export function otherSlot(slot: Slot): Slot {
  return slot === "blue" ? "green" : "blue";
}
