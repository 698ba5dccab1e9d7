/** Counts by client, for one slot, while a release is watched. */
import { latencyClass, MOST_CLIENTS } from "../director/drivers/driver";
import type { ClientCounts } from "../director/drivers/driver";

interface Counted {
  requests: number;
  errors: number;
  readonly latency: Record<number, number>;
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
      this.clients.set(client, { requests: 1, errors: 0, latency: {} });
      this.quiet.add(client);
    }
  }

  answered(client: string, milliseconds: number): void {
    const latency = this.clients.get(client)?.latency;
    if (latency === undefined) return;
    const key = latencyClass(milliseconds);
    latency[key] = (latency[key] ?? 0) + 1;
  }

  failed(client: string): void {
    const counted = this.clients.get(client);
    if (counted !== undefined) {
      counted.errors += 1;
      this.quiet.delete(client);
    } else if (this.makeRoom()) this.clients.set(client, { requests: 1, errors: 1, latency: {} });
  }

  private makeRoom(): boolean {
    if (this.clients.size < MOST_CLIENTS) return true;
    const [quiet] = this.quiet;
    if (quiet === undefined) return false;
    this.quiet.delete(quiet);
    return this.clients.delete(quiet);
  }
}
