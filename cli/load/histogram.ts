/**
 * Latencies of a run of any length in bounded memory: one counter for each 1 % step of a logarithmic scale from 0.01 ms,
 * about 1,600 of them up to 100 seconds.
 */
const SMALLEST_MS = 0.01;
const STEP = Math.log(1.01);

/** A histogram to send between processes: the non-empty buckets with their counts. */
export interface HistogramCounts {
  readonly buckets: readonly (readonly [bucket: number, count: number])[];
  readonly max: number;
}

const tenths = (ms: number): number => Math.round(ms * 10) / 10;

export class LatencyHistogram {
  readonly #counts: number[] = [];
  #total = 0;
  #max = 0;

  /** The sum of histograms. */
  static of(...parts: readonly HistogramCounts[]): LatencyHistogram {
    const whole = new LatencyHistogram();
    for (const { buckets, max } of parts) {
      for (const [bucket, count] of buckets) whole.#count(bucket, count);
      whole.#max = Math.max(whole.#max, max);
    }
    return whole;
  }

  add(ms: number): void {
    this.#count(Math.max(0, Math.floor(Math.log(ms / SMALLEST_MS) / STEP)), 1);
    this.#max = Math.max(this.#max, ms);
  }

  counts(): HistogramCounts {
    const buckets = this.#counts.flatMap((count, bucket) => (count === 0 ? [] : [[bucket, count] as const]));
    return { buckets, max: this.#max };
  }

  /** For a receipt, in milliseconds with one decimal. */
  summary(): { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number } {
    return {
      p50: tenths(this.percentile(50)),
      p95: tenths(this.percentile(95)),
      p99: tenths(this.percentile(99)),
      max: tenths(this.#max),
    };
  }

  /** Exact; 0 if nothing was added. */
  get max(): number {
    return this.#max;
  }

  /** The smallest latency that `percent` of all do not exceed, within 1 %; 0 if nothing was added. */
  percentile(percent: number): number {
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#total));
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return Math.min(this.#max, SMALLEST_MS * Math.exp((bucket + 0.5) * STEP));
    }
    return this.#max;
  }

  #count(bucket: number, count: number): void {
    while (this.#counts.length <= bucket) this.#counts.push(0);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#total += count;
  }
}
