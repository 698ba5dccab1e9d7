/**
 * One colour per release, the same throughout a report: a shade of blue in the blue slot, of green in the green slot. The
 * values are CSS variables, which `style.ts` sets for light, dark and print.
 */
import { idOrNull } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";

const SHADES = 3;

export type SlotOf = Readonly<Record<string, Slot>>;

/** The slot of each release in these records. */
export function slotsIn(...records: readonly ReleaseRecord[]): SlotOf {
  const entries = records.flatMap(({ slots }) =>
    SLOTS.map((slot) => [idOrNull(slots[slot]), slot] as const).filter(([id]) => id !== null),
  );
  return Object.fromEntries(entries) as SlotOf;
}

/** @param ids in the order in which users got them. */
export function coloursOf(ids: readonly string[], slotOf: SlotOf): ReadonlyMap<string, string> {
  const used: Record<Slot | "other", number> = { blue: 0, green: 0, other: 0 };
  return new Map(
    ids.map((id) => {
      const hue = Object.hasOwn(slotOf, id) ? slotOf[id]! : "other";
      used[hue] += 1;
      return [id, `var(--${hue}-${((used[hue] - 1) % SHADES) + 1})`];
    }),
  );
}
