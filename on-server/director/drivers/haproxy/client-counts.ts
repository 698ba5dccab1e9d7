/**
 * What HAProxy counted by client, cumulated over its tables, which forget clients when others come. Pure: a table's rows
 * go in.
 */
import type { ClientCounts } from "../driver";
import { latencyClass, MOST_CLIENTS } from "../driver";
import type { AbnormalRequest } from "./abnormal-requests";
import { UnansweredClients } from "./unanswered-clients";

/** Counts of one row, by its key. */
type Counts = ReadonlyMap<string, number>;

/** Cumulates a count that begins again with 0 whenever its row was forgotten. */
class Cumulated {
  private last: Counts = new Map();
  readonly total = new Map<string, number>();

  follow(now: Counts): void {
    for (const [key, count] of now) {
      const before = this.last.get(key) ?? 0;
      const more = count >= before ? count - before : count;
      if (more > 0) this.total.set(key, (this.total.get(key) ?? 0) + more);
    }
    this.last = now;
  }

  add(key: string): void {
    this.total.set(key, (this.total.get(key) ?? 0) + 1);
  }

  forget(key: string): void {
    this.total.delete(key);
  }
}

/** The clients of one slot. */
export class ClientsOfSlot {
  private readonly requests = new Cumulated();
  private readonly errors = new Cumulated();
  /** By `<milliseconds>|<client>`. */
  private readonly latencies = new Cumulated();
  private readonly unanswered = new UnansweredClients();

  /**
   * @param clients HAProxy's answer to `show table`, with lines as
   *   `0x55...: key=10.0.0.1|7 use=0 exp=9 gpc0=0 gpc1=2 http_req_cnt=3 http_fail_cnt=1`
   * @param latencies the same, with lines as `0x55...: key=12|10.0.0.1|7 ... http_req_cnt=3`
   * @param unanswered requests of the slot that got no answer at all, and that HAProxy counts for no client
   */
  follow(clients: string, latencies: string, unanswered: number): Readonly<Record<string, ClientCounts>> {
    const rows = rowsOf(clients);
    for (const client of this.unanswered.follow(rows, unanswered)) this.errors.add(client);
    this.requests.follow(column(rows, ["http_req_cnt"]));
    this.errors.follow(column(rows, ["http_fail_cnt", "gpc0"]));
    this.latencies.follow(column(rowsOf(latencies), ["http_req_cnt"]));
    this.forgetHarmless();
    const byClient = new Map<string, Record<number, number>>();
    for (const [key, count] of this.latencies.total) {
      const { milliseconds, client } = latencyKey(key);
      const latency = byClient.get(client) ?? {};
      latency[milliseconds] = (latency[milliseconds] ?? 0) + count;
      byClient.set(client, latency);
    }
    return Object.fromEntries(
      [...this.requests.total].map(([client, requests]) => [
        client,
        { requests, errors: this.errors.total.get(client) ?? 0, latency: byClient.get(client) ?? {} },
      ]),
    );
  }

  add({ client, answered, failure }: AbnormalRequest): void {
    // HAProxy's table does not have it.
    if (failure !== null) this.errors.add(client);
    if (!answered) this.unanswered.explain(client);
  }

  /** Keeps those with most errors, then those with most requests. */
  private forgetHarmless(): void {
    for (const client of this.errors.total.keys())
      if (!this.requests.total.has(client)) this.errors.forget(client);
    const errors = (client: string) => this.errors.total.get(client) ?? 0;
    if (this.requests.total.size <= MOST_CLIENTS) return;
    const harmless = [...this.requests.total]
      .sort(([one, some], [other, more]) => errors(other) - errors(one) || more - some)
      .slice(MOST_CLIENTS);
    for (const [client] of harmless) {
      this.requests.forget(client);
      this.errors.forget(client);
    }
    for (const key of this.latencies.total.keys())
      if (!this.requests.total.has(latencyKey(key).client)) this.latencies.forget(key);
  }
}

function latencyKey(key: string) {
  const [milliseconds = ""] = key.split("|", 1);
  return { milliseconds: latencyClass(Number(milliseconds)), client: key.slice(milliseconds.length + 1) };
}

function rowsOf(table: string): ReadonlyMap<string, string>[] {
  return [...table.matchAll(/^0x[^:]+: (key=.*)$/gm)].map(
    ([, fields]) => new Map(fields!.split(" ").map((field) => field.split("=", 2) as [string, string])),
  );
}

function column(rows: readonly ReadonlyMap<string, string>[], names: readonly string[]): Counts {
  return new Map(
    rows.map((row) => [row.get("key")!, names.reduce((sum, name) => sum + Number(row.get(name) ?? 0), 0)]),
  );
}
