/** Each slot's requests per second and error ratio, from the proxies' counters. */
import { SLOTS } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";
import type { SlotCounts } from "../../release/director-status";
import type { Rate } from "./snapshot";

/** Long enough for a steady rate, short enough to show a change. */
const WINDOW_MS = 5_000;

interface Reading {
  readonly at: number;
  readonly counts: PerSlot<SlotCounts>;
}

export class RequestRates {
  private readonly readings = new Map<string, readonly Reading[]>();

  /** @returns null at the first reading of a proxy, and after its restart. */
  add(proxy: string, at: number, counts: PerSlot<SlotCounts>): PerSlot<Rate> | null {
    const earlier = (this.readings.get(proxy) ?? []).filter((each) => hasGrown(each.counts, counts));
    // Keep one reading older than the window, for long poll intervals.
    const begin = Math.max(
      0,
      earlier.findLastIndex((each) => each.at <= at - WINDOW_MS),
    );
    const kept = earlier.slice(begin);
    this.readings.set(proxy, [...kept, { at, counts }]);
    const [first] = kept;
    if (first === undefined || first.at >= at) return null;
    const rate = (slot: Slot): Rate => {
      const requests = counts[slot].requests - first.counts[slot].requests;
      const errors = counts[slot].errors - first.counts[slot].errors;
      return {
        perSecond: (1000 * requests) / (at - first.at),
        errorRatio: requests === 0 ? 0 : Math.min(1, errors / requests),
      };
    };
    return { blue: rate("blue"), green: rate("green") };
  }
}

function hasGrown(before: PerSlot<SlotCounts>, now: PerSlot<SlotCounts>): boolean {
  return SLOTS.every(
    (slot) => now[slot].requests >= before[slot].requests && now[slot].errors >= before[slot].errors,
  );
}
