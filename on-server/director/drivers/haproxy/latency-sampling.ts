/**
 * Of how many buckets of each side HAProxy measures latencies while a release is watched: enough for its analysis, and
 * no more, as each costs throughput. Pure: what was counted goes in.
 */
import type { Analysis } from "../../../../release/schedule";
import { BUCKETS } from "../driver";

export type SampleSize = Pick<Analysis, "minimumRequests" | "intervalSeconds">;

/** So many buckets of each side, wherever the sides meet, are all answers. */
export const ALL_MEASURED = BUCKETS / 2;
/** So many times the latencies that a judgement needs are enough. */
const PLENTY = 10;
/** A single bucket may be unlike the others: one client's that keeps asking for what takes long. */
const FEWEST_BUCKETS = 2;

export class LatencySampling {
  buckets = ALL_MEASURED;
  private counts: { readonly at: number; readonly requests: number }[] = [];
  private decidedAt = -Infinity;

  constructor(private readonly size: SampleSize) {}

  /**
   * Follows the traffic, twice an interval.
   * @param requests since the proxy started, at a moment in milliseconds.
   * @returns whether it is time to bring the proxy in line; also without a new number, as it may have been restarted.
   */
  follow(at: number, requests: number): boolean {
    const interval = 1000 * this.size.intervalSeconds;
    this.counts = [...this.counts.filter((each) => each.at >= at - 2 * interval), { at, requests }];
    if (at - this.decidedAt < interval / 2) return false;
    this.decidedAt = at;
    const begin = this.counts.findLast((each) => each.at <= at - interval) ?? this.counts[0]!;
    const recent = requests >= begin.requests ? requests - begin.requests : requests;
    const enough = bucketsFor(recent, this.size);
    if (enough >= 2 * this.buckets || 2 * enough <= this.buckets) this.buckets = enough;
    return true;
  }
}

/** @param requests all answers in the time that is judged. */
export function bucketsFor(
  requests: number,
  { minimumRequests }: Pick<SampleSize, "minimumRequests">,
): number {
  const enough = Math.ceil((PLENTY * minimumRequests * BUCKETS) / requests);
  return Math.min(ALL_MEASURED, Math.max(FEWEST_BUCKETS, enough));
}
