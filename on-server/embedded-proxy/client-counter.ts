/** Counts by client, for one slot, while a release is watched. */
import { isError } from "../director/drivers/answer-class";
import { latencyClass, MOST_CLIENTS } from "../director/drivers/driver";
import type { AnswerClass, ClientCounts } from "../director/drivers/driver";

interface Counted {
  requests: number;
  errors: number;
  readonly latency: Record<number, number>;
  readonly classes: Partial<Record<AnswerClass, number>>;
}

export class ClientCounter {
  private readonly clients = new Map<string, Counted>();
  /** Clients without errors: they make room for clients with errors. */
  private readonly quiet = new Set<string>();

  counts(): Record<string, ClientCounts> {
    const all = [...this.clients].sort(([, one], [, other]) => other.errors - one.errors);
    return Object.fromEntries(all);
  }

  begun(client: string): void {
    const counted = this.clients.get(client);
    if (counted !== undefined) counted.requests += 1;
    else if (this.clients.size < MOST_CLIENTS) {
      this.clients.set(client, { requests: 1, errors: 0, latency: {}, classes: {} });
      this.quiet.add(client);
    }
  }

  answered(client: string, milliseconds: number): void {
    const latency = this.clients.get(client)?.latency;
    if (latency === undefined) return;
    const key = latencyClass(milliseconds);
    latency[key] = (latency[key] ?? 0) + 1;
  }

  ended(client: string, answerClass: AnswerClass): void {
    const counted = this.clients.get(client) ?? (isError(answerClass) ? this.makeRoomFor(client) : undefined);
    if (counted === undefined) return;
    counted.classes[answerClass] = (counted.classes[answerClass] ?? 0) + 1;
    if (!isError(answerClass)) return;
    counted.errors += 1;
    this.quiet.delete(client);
  }

  private makeRoomFor(client: string): Counted | undefined {
    if (this.clients.size >= MOST_CLIENTS) {
      const [quiet] = this.quiet;
      if (quiet === undefined) return undefined;
      this.quiet.delete(quiet);
      this.clients.delete(quiet);
    }
    const counted = { requests: 1, errors: 0, latency: {}, classes: {} };
    this.clients.set(client, counted);
    return counted;
  }
}
