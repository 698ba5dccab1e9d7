/**
 * What HAProxy counted by client, cumulated over its tables, which forget clients when others come. Pure: a table's rows
 * go in.
 */
import type { ClientCounts, Latencies } from "../driver";
import { latencyClass, MOST_CLIENTS } from "../driver";
import type { AbnormalRequest } from "./abnormal-requests";
import { ClassesOfClients } from "./client-classes";
import { column, Cumulated, Increases, rowsOf } from "./cumulated";
import { UnansweredClients } from "./unanswered-clients";

/** The clients of one slot. */
export class ClientsOfSlot {
  private readonly requests = new Cumulated();
  private readonly errors = new Cumulated();
  private readonly latencies = new Increases();
  private readonly latencyOfClient = new Map<string, Record<number, number>>();
  private readonly unanswered = new UnansweredClients();
  private readonly classes = new ClassesOfClients();
  private readonly latencyOfSlot: Record<number, number> = {};

  /** Of all clients, also of forgotten ones; empty if HAProxy counts these latencies elsewhere, too. */
  get latency(): Latencies {
    return this.latencyOfSlot;
  }

  /**
   * @param clients HAProxy's answer to `show table`, with lines as
   *   `0x55...: key=10.0.0.1|7 use=0 exp=9 http_req_cnt=3 http_fail_cnt=1 gpc0=0 gpc1=2 gpc2=1 ...`
   * @param latencies the same, with lines as `0x55...: key=12|10.0.0.1|7 ... http_req_cnt=3`
   * @param unanswered requests of the slot that got no answer at all, and that HAProxy counts for no client
   * @param isOnlyPlace whether HAProxy counts these latencies only here
   */
  follow(
    clients: string,
    latencies: string,
    unanswered: number,
    isOnlyPlace: boolean,
  ): Readonly<Record<string, ClientCounts>> {
    const rows = rowsOf(clients);
    for (const client of this.unanswered.follow(rows, unanswered)) this.errors.add(client);
    this.requests.follow(column(rows, "http_req_cnt"));
    this.errors.follow(column(rows, "http_fail_cnt", "gpc0"));
    for (const [key, more] of this.latencies.follow(column(rowsOf(latencies), "http_req_cnt"))) {
      const { milliseconds, client } = latencyKey(key);
      if (isOnlyPlace) increase(this.latencyOfSlot, milliseconds, more);
      const latency = this.latencyOfClient.get(client) ?? {};
      increase(latency, milliseconds, more);
      this.latencyOfClient.set(client, latency);
    }
    this.classes.follow(rows);
    this.forgetHarmless();
    return Object.fromEntries(
      [...this.requests.total].map(([client, requests]) => {
        const errors = this.errors.of(client);
        const latency = { ...this.latencyOfClient.get(client) };
        return [client, { requests, errors, latency, classes: this.classes.of(client, errors) }];
      }),
    );
  }

  add({ client, status, answered, failure }: AbnormalRequest): void {
    // HAProxy's table does not have it.
    if (failure !== null) this.errors.add(client);
    if (failure === "broken") this.classes.breakOff(client, status);
    if (!answered) this.unanswered.explain(client);
  }

  /** Keeps those with most errors, then those with most requests. */
  private forgetHarmless(): void {
    const errors = (client: string) => this.errors.of(client);
    const harmless =
      this.requests.total.size <= MOST_CLIENTS
        ? []
        : [...this.requests.total]
            .sort(([one, some], [other, more]) => errors(other) - errors(one) || more - some)
            .slice(MOST_CLIENTS);
    for (const [client] of harmless) this.requests.forget(client);
    const known = this.requests.total;
    for (const client of [
      ...this.errors.total.keys(),
      ...this.latencyOfClient.keys(),
      ...this.classes.clients(),
    ]) {
      if (known.has(client)) continue;
      this.errors.forget(client);
      this.latencyOfClient.delete(client);
      this.classes.forget(client);
    }
  }
}

function latencyKey(key: string) {
  const [milliseconds = ""] = key.split("|", 1);
  return { milliseconds: latencyClass(Number(milliseconds)), client: key.slice(milliseconds.length + 1) };
}

function increase(counts: Record<number, number>, key: number, more: number): void {
  counts[key] = (counts[key] ?? 0) + more;
}
