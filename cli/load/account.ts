/**
 * The account of the requests that were due in one stretch of time: a step of the rehearsal, or the whole of it. Pure:
 * times come in as milliseconds of one clock.
 */
import { LatencyHistogram } from "./histogram";
import type { FailureKind, RequestCounts } from "./messages";

/** How one request ended. */
export interface Outcome {
  /** Why it failed, or null if it did not. */
  readonly failure: FailureKind | null;
  readonly status: number | null;
  readonly code: string | null;
  /** The release that answered, or null if nobody answered or the answer named none. */
  readonly releaseId: string | null;
}

export class Tally {
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  toRecord(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

/** A lost connection is over at once, which would flatter the latency; a time-out was waited for. */
export const countsAsLatency = ({ status, failure }: Outcome): boolean =>
  status !== null || failure === "time limit";

const tenths = (ms: number): number => Math.round(ms * 10) / 10;

export class Account {
  #sent = 0;
  #settled = 0;
  #failed = 0;
  #startedLateMs = 0;
  #longestGapMs = 0;
  #lastSuccess: number;
  #endedAt: number | undefined;
  readonly #failures = new Tally();
  readonly #versions = new Tally();
  readonly #badAnswers = new Tally();
  readonly #latency = new LatencyHistogram();

  constructor(private readonly beganAt: number) {
    this.#lastSuccess = beganAt;
  }

  get sent(): number {
    return this.#sent;
  }

  get failed(): number {
    return this.#failed;
  }

  /** Whether the stretch is over and all that was due in it has ended. */
  get isComplete(): boolean {
    return this.#endedAt !== undefined && this.#settled === this.#sent;
  }

  /** A request became due in this stretch and was started `lateMs` after it. */
  started(lateMs: number): void {
    this.#sent += 1;
    this.#startedLateMs = Math.max(this.#startedLateMs, lateMs);
  }

  /** A request that was due in this stretch has ended, perhaps after the stretch itself. */
  settled(outcome: Outcome, latencyMs: number): void {
    this.#settled += 1;
    if (outcome.releaseId !== null) this.#versions.add(outcome.releaseId);
    if (countsAsLatency(outcome)) this.#latency.add(latencyMs);
    if (outcome.failure === null) return;
    this.#failed += 1;
    this.#failures.add(outcome.failure);
    if (outcome.status !== null) this.#badAnswers.add(outcome.releaseId ?? "unknown");
  }

  /** A good answer came during this stretch, to whatever request: nobody waits longer than until here. */
  succeeded(at: number): void {
    if (this.#endedAt !== undefined) return;
    this.#longestGapMs = Math.max(this.#longestGapMs, at - this.#lastSuccess);
    this.#lastSuccess = at;
  }

  /** The stretch is over: what becomes due from here on belongs elsewhere. */
  end(at: number): void {
    this.succeeded(at);
    this.#endedAt = at;
  }

  counts(): RequestCounts {
    return {
      sent: this.#sent,
      failed: this.#failed,
      failures: this.#failures.toRecord(),
      versions: this.#versions.toRecord(),
      badAnswers: this.#badAnswers.toRecord(),
      latencyMs: this.#latency.summary(),
      longestGapMs: tenths(this.#longestGapMs),
      durationMs: tenths((this.#endedAt ?? this.#lastSuccess) - this.beganAt),
      startedLateMs: tenths(this.#startedLateMs),
    };
  }
}
