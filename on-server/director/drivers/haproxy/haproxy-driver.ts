/** Controls HAProxy without a reload: over its stats socket, and by files that it reads when it restarts. */
import { existsSync } from "node:fs";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { hasAffinity } from "../../../../configuration/sessions";
import type { ServerToken } from "../../../../configuration/sessions";
import { writeAtomically } from "../../../../system/atomic-file";
import type { Activity } from "../../../../release/server-drain";
import { otherSlot, SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { latencyClass } from "../driver";
import type { Announcement, Driver, Latencies, SlotCounts, Traffic } from "../driver";
import { tokensInRotation, TOKENS_MAP, tokensMap } from "./affinity-rules";
import { AbnormalRequests, SHOW_RING } from "./abnormal-requests";
import { ClientsOfSlot } from "./client-counts";
import { CLIENT_LATENCIES, CLIENTS } from "./client-rules";
import { FAILED_CALLS, failedCalls } from "./failed-calls";
import { ADMIN_SOCKET, LATENCIES } from "./haproxy-configuration";
import { announceByMap } from "./health-map";
import { LatencySampling } from "./latency-sampling";
import { LiveMap } from "./live-map";
import { PAGES, popularPages } from "./page-rules";
import { RuntimeSocket } from "./runtime-socket";
import { outOfRotation, SERVERS_STATE, serversWithoutClients } from "./servers-state";
import { AnswersOfSlot } from "./slot-answers";
import { backendRows, failoverRows, rowsOfServer, serverRows, sum, table, usersBackends } from "./statistics";
import type { Row } from "./statistics";
import { backendNames, FAILOVER, TRAFFIC_MAP, trafficMap, UNMEASURED } from "./traffic-map";
import { UnansweredRequests } from "./unanswered-requests";
import type { Progress } from "./unanswered-requests";

const SHOW_STATISTICS = "show stat -1 6 -1";

export class HaproxyDriver implements Driver {
  private readonly socket = new RuntimeSocket(ADMIN_SOCKET);
  private readonly map = new LiveMap(this.socket, (traffic) => this.tokens(traffic));
  private clients: PerSlot<ClientsOfSlot> = { blue: new ClientsOfSlot(), green: new ClientsOfSlot() };
  private readonly abnormal = new AbnormalRequests();
  private readonly answers: PerSlot<AnswersOfSlot> = {
    blue: new AnswersOfSlot("blue"),
    green: new AnswersOfSlot("green"),
  };
  private readonly unanswered: PerSlot<UnansweredRequests> = {
    blue: new UnansweredRequests(),
    green: new UnansweredRequests(),
  };
  /** While a release is watched. */
  private sampling: LatencySampling | null = null;
  /** Another process does, and this one reads. */
  private reads = false;

  constructor(
    private readonly spec: Pick<
      DirectorSpec,
      | "application"
      | "environment"
      | "schedule"
      | "endpoints"
      | "proxy"
      | "activation"
      | "verification"
      | "sessions"
    >,
  ) {}

  observe(): Promise<Traffic> {
    return this.map.observe();
  }

  async setTraffic(traffic: Traffic): Promise<void> {
    if (!traffic.fallback) this.sample(null);
    this.saveTraffic(traffic, await this.map.replace(traffic));
  }

  /** For a restart: HAProxy starts with the same traffic. */
  private saveTraffic(traffic: Traffic, tokens: readonly ServerToken[]): void {
    writeAtomically(TRAFFIC_MAP, trafficMap(traffic, UNMEASURED, tokens));
    if (hasAffinity(this.spec) || existsSync(TOKENS_MAP)) writeAtomically(TOKENS_MAP, tokensMap(tokens));
  }

  private async tokens(traffic: Traffic): Promise<readonly ServerToken[]> {
    if (!hasAffinity(this.spec) || traffic.sessions === undefined) return [];
    const out = serversWithoutClients(await this.socket.send("show servers state"));
    return tokensInRotation(this.spec, traffic, out);
  }

  announce(announcement: Announcement): Promise<void> {
    return announceByMap(this.socket, announcement);
  }

  async measureLatencies(wanted: boolean): Promise<void> {
    this.sample(wanted ? (this.sampling ?? new LatencySampling(this.spec.schedule.analysis)) : null);
    await this.map.renew();
    if (!wanted) await this.forgetClients();
  }

  readBegun(): void {
    this.reads = true;
  }

  async counts(): Promise<PerSlot<SlotCounts>> {
    const { sampling } = this;
    const counts = await this.count();
    if (sampling?.follow(performance.now(), counts.blue.requests + counts.green.requests) === true) {
      this.sample(sampling);
      await this.map.renew();
    }
    return counts;
  }

  async popularPages(): Promise<readonly string[]> {
    const { live } = await this.observe();
    if (live === null) return [];
    // A configuration of an earlier base has no such table: then HAProxy answers with a sentence.
    return popularPages(await this.socket.send(`show table ${PAGES[live]}`), this.spec);
  }

  /** After a restart HAProxy does not know more than that it got none since. */
  async idleSeconds(slot: Slot): Promise<number | null> {
    return this.secondsSince(serverRows(table(await this.socket.send(SHOW_STATISTICS), ","), slot));
  }

  async activity(slot: Slot, server: string): Promise<Activity> {
    const rows = rowsOfServer(table(await this.socket.send(SHOW_STATISTICS), ","), slot, server);
    return { running: sum(rows, "scur"), idleSeconds: await this.secondsSince(rows) };
  }

  private async secondsSince(rows: readonly Row[]): Promise<number | null> {
    const last = rows.map((row) => Number(row.get("lastsess") || -1)).filter((seconds) => seconds >= 0);
    if (last.length > 0) return Math.min(...last);
    const [, uptime] = /^Uptime_sec: (\d+)$/m.exec(await this.socket.send("show info")) ?? [];
    return uptime === undefined ? null : Number(uptime);
  }

  private sample(sampling: LatencySampling | null): void {
    this.sampling = sampling;
    this.map.measured = sampling?.buckets ?? 0;
  }

  private async count(): Promise<PerSlot<SlotCounts>> {
    const [stat, state, blue, green, failed, events] = await Promise.all([
      this.socket.send(SHOW_STATISTICS),
      this.socket.send("show servers state"),
      this.socket.send(`show table ${LATENCIES.blue}`),
      this.socket.send(`show table ${LATENCIES.green}`),
      this.countFailedCalls(),
      this.socket.send(SHOW_RING),
    ]);
    const rows = table(stat, ",");
    await this.countUnanswered(rows);
    const abnormal = this.abnormal.follow(events);
    for (const request of abnormal) this.clients[request.slot].add(request);
    const [blueClients, greenClients] = [await this.countClients("blue"), await this.countClients("green")];
    const latencies = { blue, green };
    // The statistics show a server that is down and out of rotation only as "DOWN". Its rotation is in the state.
    const [, stateRows = ""] = state.split(/^1\n/);
    const states = table(stateRows, " ");
    const count = (slot: Slot): SlotCounts => {
      const names = backendNames(slot);
      const of = (backends: readonly string[]) => backendRows(rows, backends);
      const stateOf = (server: string) =>
        states.find((row) => row.get("be_name") === names.serve && row.get("srv_name") === server);
      // Requests go where the configuration of the last base says, which need not be where the director looks.
      const goesTo = (server: string): boolean => {
        const endpoint = this.spec.endpoints[slot].find((each) => each.server === server);
        return endpoint === undefined || stateOf(server)?.get("srv_port") === String(endpoint.port);
      };
      const servers = rows.filter(
        (row) => row.get("pxname") === names.serve && row.get("svname") !== "BACKEND",
      );
      const users = of(usersBackends(slot));
      const { count: unanswered } = this.unanswered[slot];
      // Requests that the other slot's servers took over don't run in this slot ...
      const takenOver = failoverRows(rows, slot);
      // ... but requests that this slot's servers took over do.
      const takenFromOther = failoverRows(rows, otherSlot(slot));
      const preview = of([names.preview]);
      const answers = this.answers[slot];
      const { errors, classes } = answers.follow(
        rows,
        abnormal.filter((request) => request.slot === slot),
        unanswered,
        failed[slot],
      );
      return {
        requests: sum(users, "req_tot") + unanswered,
        errors,
        classes,
        inFlight: sum([...users, ...preview, ...takenFromOther], "scur") - sum(takenOver, "scur"),
        latency: added(latenciesOf(latencies[slot]), this.clients[slot].latency),
        endpoints: servers.map((row) => {
          const server = row.get("svname")!;
          const healthy = /^(UP|DRAIN)/.test(row.get("status")!) && goesTo(server);
          const inRotation = stateOf(server)?.get("srv_admin_state") === "0";
          return { server, healthy, inRotation, ...answers.answersOf(rows, server) };
        }),
      };
    };
    return {
      blue: { ...count("blue"), clients: blueClients },
      green: { ...count("green"), clients: greenClients },
    };
  }

  private async countUnanswered(statistics: readonly Row[]): Promise<void> {
    const progress = (slot: Slot, rows: readonly Row[]): Progress => {
      const users = backendRows(rows, usersBackends(slot));
      return { begun: sum(users, "stot"), running: sum(users, "scur"), ended: sum(users, "req_tot") };
    };
    const isBehind = SLOTS.some((slot) => this.unanswered[slot].isBehind(progress(slot, statistics)));
    const again = isBehind ? table(await this.socket.send(SHOW_STATISTICS), ",") : statistics;
    for (const slot of SLOTS) this.unanswered[slot].follow(progress(slot, statistics), progress(slot, again));
  }

  /** Only while a release is watched: at rest HAProxy counts none. */
  private async countClients(slot: Slot): Promise<SlotCounts["clients"]> {
    if ((this.sampling === null && !this.reads) || !(await this.map.countsClients())) return undefined;
    const [clients, latencies] = await Promise.all([
      this.socket.send(`show table ${CLIENTS[slot]}`),
      this.socket.send(`show table ${CLIENT_LATENCIES[slot]}`),
    ]);
    const { count } = this.unanswered[slot];
    return this.clients[slot].follow(clients, latencies, count, await this.map.countsPages());
  }

  /** So that the next watch counts by client from its beginning on, in whatever process. */
  private async forgetClients(): Promise<void> {
    // A configuration of an earlier base has no such tables: then HAProxy answers with a sentence.
    for (const name of [...Object.values(CLIENTS), ...Object.values(CLIENT_LATENCIES)]) {
      await this.socket.send(`clear table ${name}`);
    }
    this.clients = { blue: new ClientsOfSlot(), green: new ClientsOfSlot() };
  }

  private async countFailedCalls(): Promise<PerSlot<number>> {
    const of = async (slot: Slot): Promise<number> =>
      this.spec.proxy.http.instances === "http1"
        ? 0
        : failedCalls(await this.socket.send(`show table ${FAILED_CALLS[slot]}`));
    const [blue, green] = await Promise.all([of("blue"), of("green")]);
    return { blue, green };
  }

  /**
   * "drain" rather than "maint": the health check continues, so a server is known to be healthy before it returns to
   * the rotation. `nbsrv` counts neither.
   */
  async exclude(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.setServers(slot, servers, "drain");
  }

  /** HAProxy itself sends a server in this state the requests of its clients. Which server keeps them is in its weight. */
  async keepClients(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.setServers(slot, servers, "drain", "0");
  }

  async include(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.setServers(slot, servers, "ready");
  }

  async cut(slot: Slot): Promise<void> {
    const { endpoints } = (await this.counts())[slot];
    for (const { server } of endpoints) {
      const failover = `${backendNames(otherSlot(slot)).shift}/${FAILOVER}${server}`;
      for (const place of [failover, ...slotPlaces(slot, server)])
        await this.socket.sendSilent(`shutdown sessions server ${place}`);
    }
  }

  private async setServers(
    slot: Slot,
    servers: readonly string[],
    state: "drain" | "ready",
    weight: "0" | "100%" = "100%",
  ): Promise<void> {
    for (const server of servers) {
      await this.socket.sendSilent(`set server ${backendNames(slot).serve}/${server} weight ${weight}`);
      for (const place of slotPlaces(slot, server))
        await this.socket.sendSilent(`set server ${place} state ${state}`);
    }
    await this.saveExcluded();
    if (!hasAffinity(this.spec)) return;
    const renewed = await this.map.renewTokens();
    if (renewed !== null) this.saveTraffic(renewed.traffic, renewed.tokens);
  }

  /** For a restart, like the map. */
  private async saveExcluded(): Promise<void> {
    writeAtomically(SERVERS_STATE, outOfRotation(await this.socket.send("show servers state")));
  }
}

/**
 * The backends that have a server of a slot. The other slot's `shift` tracks them. The one that `counts` reads is last.
 */
function slotPlaces(slot: Slot, server: string): string[] {
  const { serve, shift, hold, page, preview } = backendNames(slot);
  return [hold, page, preview, shift, serve].map((backend) => `${backend}/${server}`);
}

/** Lines as `0x55...: key=192 ... http_req_cnt=1`. */
function latenciesOf(text: string): Latencies {
  const latencies: Record<number, number> = {};
  for (const [, milliseconds, count] of text.matchAll(/ key=(\d+) .*http_req_cnt=(\d+)/g)) {
    const key = latencyClass(Number(milliseconds));
    latencies[key] = (latencies[key] ?? 0) + Number(count);
  }
  return latencies;
}

function added(one: Latencies, other: Latencies): Latencies {
  const sums: Record<number, number> = { ...one };
  for (const [key, count] of Object.entries(other)) sums[Number(key)] = (sums[Number(key)] ?? 0) + count;
  return sums;
}
