/** What was counted of one slot's answers: in all, and by client. */
import { latencyClass, MOST_CLIENTS } from "../driver";
import type { ClientCounts, Latencies } from "../driver";

/** One answer to a user. */
export interface CountedAnswer {
  readonly client: string;
  readonly failed: boolean;
  /** Until the answer began; null if it did not. */
  readonly milliseconds: number | null;
}

/** Clients that are remembered; a client beyond them takes the place of one without errors. */
const REMEMBERED = 20 * MOST_CLIENTS;

class Tally {
  requests = 0;
  errors = 0;
  readonly latency: Record<number, number> = {};

  add({ failed, milliseconds }: CountedAnswer): void {
    this.requests += 1;
    if (failed) this.errors += 1;
    if (milliseconds === null) return;
    const key = latencyClass(milliseconds);
    this.latency[key] = (this.latency[key] ?? 0) + 1;
  }

  counts(): ClientCounts {
    return { requests: this.requests, errors: this.errors, latency: { ...this.latency } };
  }
}

export class SlotTally {
  private readonly all = new Tally();
  private readonly clients = new Map<string, Tally>();

  add(answer: CountedAnswer): void {
    this.all.add(answer);
    const known = this.clients.get(answer.client);
    if (known !== undefined) return known.add(answer);
    if (this.clients.size >= REMEMBERED && !this.forgetOne()) return;
    const tally = new Tally();
    tally.add(answer);
    this.clients.set(answer.client, tally);
  }

  counts(): {
    readonly requests: number;
    readonly errors: number;
    readonly latency: Latencies;
    readonly clients: Readonly<Record<string, ClientCounts>>;
  } {
    const most = [...this.clients]
      .sort(([, one], [, other]) => other.errors - one.errors)
      .slice(0, MOST_CLIENTS);
    return {
      ...this.all.counts(),
      clients: Object.fromEntries(most.map(([client, tally]) => [client, tally.counts()])),
    };
  }

  /** The oldest client without errors, of a few. */
  private forgetOne(): boolean {
    let looks = 100;
    for (const [client, { errors }] of this.clients) {
      if (errors === 0) return this.clients.delete(client);
      if ((looks -= 1) === 0) return false;
    }
    return false;
  }
}
