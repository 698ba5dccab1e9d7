/** What was counted of one slot's answers: in all, by client, and by server. */
import { isError } from "../answer-class";
import { latencyClass, MOST_CLIENTS } from "../driver";
import type { AnswerClass, Classes, ClientCounts, Latencies } from "../driver";

/** One request of a user that has ended. */
export interface CountedAnswer {
  readonly client: string;
  /** The slot's server that was asked last; null if none was. */
  readonly server: string | null;
  /** Null if the client left before the answer began. */
  readonly answerClass: AnswerClass | null;
  /** Until the answer began; null if it did not. */
  readonly milliseconds: number | null;
}

interface ServerCounts {
  readonly requests: number;
  readonly errors: number;
}

/** Clients that are remembered; a client beyond them takes the place of one without errors. */
const REMEMBERED = 20 * MOST_CLIENTS;

class Tally {
  requests = 0;
  errors = 0;
  readonly latency: Record<number, number> = {};
  private readonly classes: Partial<Record<AnswerClass, number>> = {};

  add({ answerClass, milliseconds }: CountedAnswer): void {
    this.requests += 1;
    if (answerClass !== null) {
      this.classes[answerClass] = (this.classes[answerClass] ?? 0) + 1;
      if (isError(answerClass)) this.errors += 1;
    }
    if (milliseconds === null) return;
    const key = latencyClass(milliseconds);
    this.latency[key] = (this.latency[key] ?? 0) + 1;
  }

  counts(): ClientCounts & { readonly classes: Classes } {
    const { requests, errors, latency, classes } = this;
    return { requests, errors, latency: { ...latency }, classes: { ...classes } };
  }
}

export class SlotTally {
  private readonly all = new Tally();
  private readonly clients = new Map<string, Tally>();
  private readonly servers = new Map<string, Tally>();

  add(answer: CountedAnswer): void {
    this.all.add(answer);
    this.addToServer(answer);
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
    readonly classes: Classes;
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

  ofServer(server: string): ServerCounts {
    const { requests = 0, errors = 0 } = this.servers.get(server) ?? {};
    return { requests, errors };
  }

  private addToServer(answer: CountedAnswer): void {
    if (answer.server === null) return;
    const tally = this.servers.get(answer.server) ?? new Tally();
    tally.add(answer);
    this.servers.set(answer.server, tally);
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
