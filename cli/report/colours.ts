/**
 * One colour for each release, the same in every chart and table of a report. A release that lives in the blue slot is a
 * blue, one in the green slot a green; the next release in the same slot has another shade. The values are CSS variables,
 * which `style.ts` sets for light, dark and paper.
 */
import { idOrNull } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";

const SHADES = 3;

export type SlotOf = Readonly<Record<string, Slot>>;

/** Where the records say that releases live. */
export function slotsIn(...records: readonly ReleaseRecord[]): SlotOf {
  const entries = records.flatMap(({ slots }) =>
    SLOTS.map((slot) => [idOrNull(slots[slot]), slot] as const).filter(([id]) => id !== null),
  );
  return Object.fromEntries(entries) as SlotOf;
}

/** @param ids in the order in which users met them. */
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
