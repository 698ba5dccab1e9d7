/**
 * The timeline of the whole load, for a chart: the worker's report of each second, kept by the parent and merged so that
 * a run of any length has at most 600 points. Each period has its histogram, so merged percentiles cover all answers.
 */
import type { TimelinePoint } from "../../release/receipt";
import { LatencyHistogram, type HistogramCounts } from "./histogram";

const MOST_POINTS = 600;
/** The last period ends with the load: a shorter one is merged with the one before it. */
const SHORTEST_SECONDS = 0.5;

/** The events of one period. `sent` became due in it, everything else ended in it. */
export interface Period {
  /** Milliseconds since 1970. */
  readonly beganAt: number;
  readonly seconds: number;
  readonly sent: number;
  readonly failed: number;
  /** Whole answers, good and bad. */
  readonly answers: number;
  readonly versions: Readonly<Record<string, number>>;
  readonly latency: HistogramCounts;
}

export class Timeline {
  readonly #periods: Period[] = [];

  add(period: Period): void {
    const last = this.#periods.at(-1);
    if (last !== undefined && period.seconds < SHORTEST_SECONDS && areAlike(last, period)) {
      this.#periods.splice(-1, 1, merge(last, period));
    } else this.#periods.push(period);
    if (this.#periods.length > MOST_POINTS) this.#mergeShortest();
  }

  points(): TimelinePoint[] {
    return this.#periods.map(timelinePoint);
  }

  /**
   * Merges the shortest pair of neighbours. A period without answers is merged only with another one, or a one-second
   * outage would disappear among good answers; if there is no such pair, any pair is merged.
   */
  #mergeShortest(): void {
    const index = this.#shortestPair(areAlike) ?? this.#shortestPair(() => true) ?? 0;
    this.#periods.splice(index, 2, merge(this.#periods[index]!, this.#periods[index + 1]!));
  }

  /** The index of the first of the pair. */
  #shortestPair(mayMerge: (first: Period, second: Period) => boolean): number | undefined {
    let found: number | undefined;
    let shortest = Infinity;
    for (let index = 1; index < this.#periods.length; index += 1) {
      const [first, second] = [this.#periods[index - 1]!, this.#periods[index]!];
      const seconds = first.seconds + second.seconds;
      if (seconds >= shortest || !mayMerge(first, second)) continue;
      shortest = seconds;
      found = index - 1;
    }
    return found;
  }
}

export function timelinePoint({ beganAt, seconds, sent, failed, versions, latency }: Period): TimelinePoint {
  return {
    at: new Date(beganAt).toISOString(),
    seconds: Math.round(seconds * 1000) / 1000,
    sent,
    failed,
    versions,
    latencyMs: LatencyHistogram.of(latency).summary(),
  };
}

function areAlike(first: Period, second: Period): boolean {
  const isSilent = ({ sent, answers }: Period): boolean => sent > 0 && answers === 0;
  return isSilent(first) === isSilent(second);
}

function merge(first: Period, second: Period): Period {
  const versions = { ...first.versions };
  for (const [version, count] of Object.entries(second.versions)) {
    versions[version] = (versions[version] ?? 0) + count;
  }
  return {
    beganAt: first.beganAt,
    seconds: first.seconds + second.seconds,
    sent: first.sent + second.sent,
    failed: first.failed + second.failed,
    answers: first.answers + second.answers,
    versions,
    latency: LatencyHistogram.of(first.latency, second.latency).counts(),
  };
}
