/** What the embedded proxy counts for one slot. */
import type { Writable } from "node:stream";
import { latencyClass } from "../director/drivers/driver";
import type { SlotCounts } from "../director/drivers/driver";
import { ClientCounter } from "./client-counter";

/** One request of a user. */
export interface RequestCount {
  /** The answer has begun. */
  answered(): void;
  /** The request is an error of the slot; further calls change nothing. */
  failed(): void;
}

export class SlotCounter {
  private requests = 0;
  private errors = 0;
  private readonly latency: Record<number, number> = {};
  /** Running requests, WebSockets and downloads. */
  private readonly running = new Set<Writable>();
  private clients: ClientCounter | null = null;

  counts(): Omit<SlotCounts, "endpoints"> {
    const { requests, errors, latency, running, clients } = this;
    const byClient = clients && { clients: clients.counts() };
    return { requests, errors, latency, inFlight: running.size, ...byClient };
  }

  /** Starts or stops the counts by client. */
  watch(wanted: boolean): void {
    this.clients = wanted ? (this.clients ?? new ClientCounter()) : null;
  }

  begin(client: string): RequestCount {
    const { clients } = this;
    const begun = performance.now();
    let hasFailed = false;
    this.requests += 1;
    clients?.begun(client);
    return {
      answered: () => {
        const milliseconds = performance.now() - begun;
        const key = latencyClass(milliseconds);
        this.latency[key] = (this.latency[key] ?? 0) + 1;
        clients?.answered(client, milliseconds);
      },
      failed: () => {
        if (hasFailed) return;
        hasFailed = true;
        this.errors += 1;
        clients?.failed(client);
      },
    };
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
