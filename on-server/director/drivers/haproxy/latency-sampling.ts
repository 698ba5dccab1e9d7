/**
 * For how many buckets of each side HAProxy measures latencies while a release is watched: enough for the analysis, and
 * no more, as each costs throughput. Pure: counts go in.
 */
import type { Analysis } from "../../../../release/schedule";
import { BUCKETS } from "../driver";

export type SampleSize = Pick<Analysis, "minimumRequests" | "intervalSeconds">;

/** With this many buckets of each side, all answers are measured at any weight. */
export const ALL_MEASURED = BUCKETS / 2;
/** Measure this many times the latencies that a judgement needs. */
const RESERVE = 10;
/** A single bucket may not be typical: one client that keeps sending slow requests. */
const FEWEST_BUCKETS = 2;

export class LatencySampling {
  buckets = ALL_MEASURED;
  private counts: { readonly at: number; readonly requests: number }[] = [];
  private decidedAt = -Infinity;

  constructor(private readonly size: SampleSize) {}

  /**
   * Follows the traffic, twice an interval.
   * @param requests since the proxy started, at a moment in milliseconds.
   * @returns whether to set the proxy now; also true with the same number, because the proxy may have been restarted.
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

/** @param requests all answers in the judged time. */
export function bucketsFor(
  requests: number,
  { minimumRequests }: Pick<SampleSize, "minimumRequests">,
): number {
  const enough = Math.ceil((RESERVE * minimumRequests * BUCKETS) / requests);
  return Math.min(ALL_MEASURED, Math.max(FEWEST_BUCKETS, enough));
}
