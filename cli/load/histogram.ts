/**
 * Latencies of a run of any length in bounded memory: one counter for each 1 % step of a logarithmic scale from 0.01 ms
 * on, about 1,600 of them up to 100 seconds.
 */
const SMALLEST_MS = 0.01;
const STEP = Math.log(1.01);

export class LatencyHistogram {
  readonly #counts: number[] = [];
  #total = 0;
  #max = 0;

  add(ms: number): void {
    const bucket = Math.max(0, Math.floor(Math.log(ms / SMALLEST_MS) / STEP));
    while (this.#counts.length <= bucket) this.#counts.push(0);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
    this.#max = Math.max(this.#max, ms);
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
}
