/**
 * The course of the whole load, for a chart: what the worker sent each second, kept by the parent and thinned, so that a
 * run of any length has at most 600 points. Percentiles of a merged stretch are those of all its answers, because each
 * stretch comes with its histogram.
 */
import type { TimelinePoint } from "../../release/receipt";
import { LatencyHistogram, type HistogramCounts } from "./histogram";

const MOST_POINTS = 600;
/** The last stretch ends with the load: a shorter one is told together with the one before it. */
const SHORTEST_SECONDS = 0.5;

/** What happened in one stretch of time. `sent` became due in it, everything else ended in it. */
export interface Stretch {
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
  readonly #stretches: Stretch[] = [];

  add(stretch: Stretch): void {
    const last = this.#stretches.at(-1);
    if (last !== undefined && stretch.seconds < SHORTEST_SECONDS && areAlike(last, stretch)) {
      this.#stretches.splice(-1, 1, merge(last, stretch));
    } else this.#stretches.push(stretch);
    if (this.#stretches.length > MOST_POINTS) this.#mergeShortest();
  }

  points(): TimelinePoint[] {
    return this.#stretches.map(timelinePoint);
  }

  /**
   * The two neighbours that together are the shortest. A silent stretch is merged with its like only, or an outage of
   * a second would disappear among good answers; where there is no such pair, with any.
   */
  #mergeShortest(): void {
    const index = this.#shortestPair(areAlike) ?? this.#shortestPair(() => true) ?? 0;
    this.#stretches.splice(index, 2, merge(this.#stretches[index]!, this.#stretches[index + 1]!));
  }

  /** The index of its first. */
  #shortestPair(mayMerge: (first: Stretch, second: Stretch) => boolean): number | undefined {
    let found: number | undefined;
    let shortest = Infinity;
    for (let index = 1; index < this.#stretches.length; index += 1) {
      const [first, second] = [this.#stretches[index - 1]!, this.#stretches[index]!];
      const seconds = first.seconds + second.seconds;
      if (seconds >= shortest || !mayMerge(first, second)) continue;
      shortest = seconds;
      found = index - 1;
    }
    return found;
  }
}

export function timelinePoint({ beganAt, seconds, sent, failed, versions, latency }: Stretch): TimelinePoint {
  return {
    at: new Date(beganAt).toISOString(),
    seconds: Math.round(seconds * 1000) / 1000,
    sent,
    failed,
    versions,
    latencyMs: LatencyHistogram.of(latency).summary(),
  };
}

function areAlike(first: Stretch, second: Stretch): boolean {
  const isSilent = ({ sent, answers }: Stretch): boolean => sent > 0 && answers === 0;
  return isSilent(first) === isSilent(second);
}

function merge(first: Stretch, second: Stretch): Stretch {
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
