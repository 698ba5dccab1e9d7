/**
 * Counts the requests that were due in one period: a step of the rehearsal, or the whole of it. Pure: times are
 * milliseconds of one clock.
 */
import type { SessionCounts } from "../../release/receipt";
import { LatencyHistogram } from "./histogram";
import type { FailureKind, RequestCounts } from "./messages";

/** How one request ended. */
export interface Outcome {
  /** Why it failed; null if it did not. */
  readonly failure: FailureKind | null;
  readonly status: number | null;
  readonly code: string | null;
  /** The release that answered; null without an answer, or if the answer names none. */
  readonly releaseId: string | null;
  /** Whether the answer shows that the application does not know the user's session any more. */
  readonly isLost?: boolean;
}

/** What an answer means for a user of the form. */
export type SessionEvent = keyof SessionCounts;

export class Tally {
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  toRecord(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

/** A lost connection ends at once and would lower the latency; a time-out took its time. */
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
  readonly #sessions = { begun: 0, completed: 0, lost: 0 };

  /** @param hasForm whether the plan has a form */
  constructor(
    private readonly beganAt: number,
    private readonly hasForm = false,
  ) {
    this.#lastSuccess = beganAt;
  }

  get sent(): number {
    return this.#sent;
  }

  get failed(): number {
    return this.#failed;
  }

  /** Whether the period has ended, and all its requests too. */
  get isComplete(): boolean {
    return this.#endedAt !== undefined && this.#settled === this.#sent;
  }

  /** A request became due in this period and was started `lateMs` later. */
  started(lateMs: number): void {
    this.#sent += 1;
    this.#startedLateMs = Math.max(this.#startedLateMs, lateMs);
  }

  /** A request of this period has ended, perhaps after the period. */
  settled(outcome: Outcome, latencyMs: number): void {
    this.#settled += 1;
    if (outcome.releaseId !== null) this.#versions.add(outcome.releaseId);
    if (countsAsLatency(outcome)) this.#latency.add(latencyMs);
    if (outcome.failure === null) return;
    this.#failed += 1;
    this.#failures.add(outcome.failure);
    if (outcome.status !== null) this.#badAnswers.add(outcome.releaseId ?? "unknown");
  }

  /** A request of this period had this result for a user of the form. */
  session(event: SessionEvent): void {
    this.#sessions[event] += 1;
  }

  /** A good answer to any request came during this period: it ends a gap. */
  succeeded(at: number): void {
    if (this.#endedAt !== undefined) return;
    this.#longestGapMs = Math.max(this.#longestGapMs, at - this.#lastSuccess);
    this.#lastSuccess = at;
  }

  /** Ends the period: requests due from now on don't belong to it. */
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
      ...(this.hasForm && { sessions: { ...this.#sessions } }),
    };
  }
}
