/** What the embedded proxy counts for one slot. */
import type { Writable } from "node:stream";
import { latencyClass } from "../director/drivers/driver";
import type { SlotCounts } from "../director/drivers/driver";

export class SlotCounter {
  requests = 0;
  errors = 0;
  private readonly latency: Record<number, number> = {};
  /** Running requests, WebSockets and downloads. */
  private readonly running = new Set<Writable>();

  counts(): Omit<SlotCounts, "endpoints"> {
    const { requests, errors, latency, running } = this;
    return { requests, errors, latency, inFlight: running.size };
  }

  answered(milliseconds: number): void {
    const key = latencyClass(milliseconds);
    this.latency[key] = (this.latency[key] ?? 0) + 1;
  }

  runs(stream: Writable): void {
    this.running.add(stream);
    stream.once("close", () => this.running.delete(stream));
  }

  /** Ends all that runs. */
  cut(): void {
    for (const stream of this.running) stream.destroy();
  }
}
