/**
 * Watches a candidate while it has traffic: its share of failed answers against stable's, and a probe of every
 * endpoint, so that a quiet site is judged too. A failure ends the wait at once.
 */
import { otherSlot } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";
import type { Director } from "./director";
import type { SlotCounts } from "./drivers/driver";
import type { Verdict } from "./verify";

const CHECK_MS = 250;
/** Fewer failed answers than this may be chance. */
const MINIMUM_ERRORS = 3;
/** An endpoint that fails this often in a row is down, not busy. */
const FAILED_PROBES = 3;

export class CandidateWatch {
  private readonly failedProbes = new Map<number, number>();

  private constructor(
    private readonly director: Director,
    private readonly slot: Slot,
    private readonly releaseId: string,
    private readonly start: PerSlot<SlotCounts>,
  ) {}

  static async begin(director: Director, slot: Slot, releaseId: string): Promise<CandidateWatch> {
    return new CandidateWatch(director, slot, releaseId, await director.driver.counts());
  }

  /** Waits until `deadline` (milliseconds since 1970) or the first sign of trouble. @throws Interrupted */
  async until(deadline: number): Promise<Verdict> {
    for (;;) {
      this.director.interruption.check();
      const verdict = await this.check();
      if (!verdict.passed || this.director.clock.now() >= deadline) return verdict;
      await this.director.clock.sleep(Math.max(1, Math.min(CHECK_MS, deadline - this.director.clock.now())));
    }
  }

  private async check(): Promise<Verdict> {
    const [counts, reachable] = await Promise.all([this.director.driver.counts(), this.probeAll()]);
    if (!reachable.passed) return reachable;
    const candidate = this.since(counts, this.slot);
    const stable = this.since(counts, otherSlot(this.slot));
    const ratio = candidate.errors / Math.max(1, candidate.requests);
    const stableRatio = stable.errors / Math.max(1, stable.requests);
    if (
      candidate.errors >= MINIMUM_ERRORS &&
      ratio > stableRatio + this.director.spec.schedule.analysis.maxErrorRatio
    ) {
      const figures = `${candidate.errors} of ${candidate.requests} answers failed (${percent(ratio)}), stable ${percent(stableRatio)}`;
      return { passed: false, reason: `${this.releaseId}: ${figures}` };
    }
    return { passed: true };
  }

  private async probeAll(): Promise<Verdict> {
    const endpoints = this.director.spec.endpoints[this.slot];
    const probes = await Promise.all(
      endpoints.map((endpoint) => this.director.probe(endpoint, this.releaseId)),
    );
    for (const [index, probe] of probes.entries()) {
      const failures = probe.healthy ? 0 : (this.failedProbes.get(index) ?? 0) + 1;
      this.failedProbes.set(index, failures);
      if (failures >= FAILED_PROBES) {
        const { server, host, port } = endpoints[index]!;
        return { passed: false, reason: `${this.releaseId} on ${server} (${host}:${port}) ${probe.problem}` };
      }
    }
    return { passed: true };
  }

  private since(counts: PerSlot<SlotCounts>, slot: Slot): { requests: number; errors: number } {
    return {
      requests: counts[slot].requests - this.start[slot].requests,
      errors: counts[slot].errors - this.start[slot].errors,
    };
  }
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}
