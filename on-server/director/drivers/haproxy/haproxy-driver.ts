/**
 * Drives HAProxy without ever reloading it: the traffic value is a map that is replaced as a whole over the
 * stats socket (`prepare map`, `add map`, `commit map`; HAProxy >= 2.4), so no request sees half of a change.
 */
import { writeAtomically } from "../../../../system/atomic-file";
import { otherSlot } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { latencyClass, sameTraffic } from "../driver";
import type { Driver, Latencies, SlotCounts, Traffic } from "../driver";
import { ADMIN_SOCKET, LATENCIES, SERVERS_STATE, TIMES_BUCKETS } from "./haproxy-configuration";
import { RuntimeSocket } from "./runtime-socket";
import { backendNames, shownTimed, shownTraffic, TRAFFIC_MAP, trafficMap } from "./traffic-map";

const SHOW_MAP = `show map ${TRAFFIC_MAP}`;

export class HaproxyDriver implements Driver {
  private readonly socket = new RuntimeSocket(ADMIN_SOCKET);
  private knowsTimed = false;

  async observe(): Promise<Traffic> {
    return shownTraffic(await this.socket.send(SHOW_MAP));
  }

  async setTraffic(traffic: Traffic, timed = 0): Promise<void> {
    await this.replaceMap(traffic, timed > 0 && (await this.timesBuckets()) ? timed : 0);
    // For a restart: HAProxy comes up with the weights it had.
    writeAtomically(TRAFFIC_MAP, trafficMap(traffic));
  }

  async timeAnswers(buckets: number): Promise<void> {
    if (!(await this.timesBuckets())) return;
    const shown = await this.socket.send(SHOW_MAP);
    const timed = shownTimed(shown);
    // What somebody changed by hand is theirs, until the director finds it.
    if (timed !== null && timed !== buckets) await this.replaceMap(shownTraffic(shown), buckets);
  }

  /** Where base could not renew its configuration, HAProxy times all answers and knows no numbers of timed buckets. */
  private async timesBuckets(): Promise<boolean> {
    this.knowsTimed ||= (await this.socket.send(`show env ${TIMES_BUCKETS}`)).startsWith(`${TIMES_BUCKETS}=`);
    return this.knowsTimed;
  }

  private async replaceMap(traffic: Traffic, timed: number): Promise<void> {
    const { interruptions } = this.socket;
    try {
      await this.replaceMapAtOnce(traffic, timed);
    } catch (error) {
      // A HAProxy that was killed in between, and is up again, knows nothing of what was prepared.
      if (this.socket.interruptions === interruptions) throw error;
      await this.replaceMapAtOnce(traffic, timed);
    }
  }

  private async replaceMapAtOnce(traffic: Traffic, timed: number): Promise<void> {
    const prepared = await this.socket.send(`prepare map ${TRAFFIC_MAP}`);
    const [, version] = /^New version created: (\d+)$/.exec(prepared) ?? [];
    if (version === undefined) throw new Error(`haproxy refused to prepare the traffic map: ${prepared}`);
    const map = trafficMap(traffic, timed);
    await this.expectSilence(`add map @${version} ${TRAFFIC_MAP} <<\n${map}`);
    await this.expectSilence(`commit map @${version} ${TRAFFIC_MAP}`);
    const observed = shownTraffic(await this.socket.send(SHOW_MAP));
    if (!sameTraffic(observed, traffic)) {
      throw new Error(
        `haproxy serves ${JSON.stringify(observed)} although it was told ${JSON.stringify(traffic)}`,
      );
    }
  }

  async counts(): Promise<PerSlot<SlotCounts>> {
    const [stat, state, blue, green] = await Promise.all([
      this.socket.send("show stat -1 6 -1"),
      this.socket.send("show servers state"),
      this.socket.send(`show table ${LATENCIES.blue}`),
      this.socket.send(`show table ${LATENCIES.green}`),
    ]);
    const answers = { blue, green };
    const rows = table(stat, ",");
    // A server that is down and out of rotation is only "DOWN" in the statistics; here is what it was told.
    const [, states = ""] = state.split(/^1\n/);
    const told = table(states, " ");
    const count = (slot: Slot): SlotCounts => {
      const names = backendNames(slot);
      const of = (backends: readonly string[]) =>
        rows.filter((row) => row.get("svname") === "BACKEND" && backends.includes(row.get("pxname")!));
      const isReady = (server: string): boolean =>
        told.some(
          (row) =>
            row.get("be_name") === names.serve &&
            row.get("srv_name") === server &&
            row.get("srv_admin_state") === "0",
        );
      const sum = (counted: readonly ReadonlyMap<string, string>[], column: string) =>
        counted.reduce((total, row) => total + Number(row.get(column) ?? 0), 0);
      const servers = rows.filter(
        (row) => row.get("pxname") === names.serve && row.get("svname") !== "BACKEND",
      );
      const users = of([names.serve, names.shift, names.hold, names.page]);
      // While the other slot stands in, its servers' requests are none of this slot's ...
      const lent = standIns(rows, names.shift);
      // ... but this slot's where they stand in there.
      const borrowed = standIns(rows, backendNames(otherSlot(slot)).shift);
      const preview = of([names.preview]);
      return {
        requests: sum(users, "req_tot"),
        // Whoever was served by the other slot got an answer; the slot that was asked first gave none.
        errors: sum(users, "hrsp_5xx") + sum(lent, "stot"),
        inFlight: sum([...users, ...preview, ...borrowed], "scur") - sum(lent, "scur"),
        latency: latenciesOf(answers[slot]),
        endpoints: servers.map((row) => {
          const server = row.get("svname")!;
          const healthy = /^(UP|DRAIN)/.test(row.get("status")!);
          return { server, healthy, inRotation: isReady(server) };
        }),
      };
    };
    return { blue: count("blue"), green: count("green") };
  }

  /**
   * "drain" rather than "maint": the health check goes on, so a server that comes back is known to be healthy before
   * it gets a request. `nbsrv` counts neither.
   */
  async exclude(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.tellServers(slot, servers, "drain");
  }

  async include(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.tellServers(slot, servers, "ready");
  }

  async cut(slot: Slot): Promise<void> {
    const { endpoints } = (await this.counts())[slot];
    for (const { server } of endpoints) {
      const standsIn = `${backendNames(otherSlot(slot)).shift}/other-${server}`;
      for (const place of [standsIn, ...ownPlaces(slot, server)])
        await this.expectSilence(`shutdown sessions server ${place}`);
    }
  }

  private async tellServers(slot: Slot, servers: readonly string[], state: "drain" | "ready"): Promise<void> {
    for (const server of servers) {
      for (const place of ownPlaces(slot, server))
        await this.expectSilence(`set server ${place} state ${state}`);
    }
    await this.rememberExcluded();
  }

  /** For a restart, as with the map. Whoever is in rotation is left out: it shall start as if nothing was known of it. */
  private async rememberExcluded(): Promise<void> {
    const [version, header, ...rows] = (await this.socket.send("show servers state")).split("\n");
    const column = header!.replace(/^# /, "").split(" ").indexOf("srv_admin_state");
    const excluded = rows.filter((row) => row.split(" ")[column] !== "0");
    writeAtomically(SERVERS_STATE, [version, header, ...excluded, ""].join("\n"));
  }

  private async expectSilence(command: string): Promise<void> {
    const answer = await this.socket.send(command);
    if (answer !== "") throw new Error(`haproxy refused "${command.split("\n", 1)[0]}": ${answer}`);
  }
}

/** Where a server of a slot takes part; where it stands in, it follows. What `counts` looks at comes last. */
function ownPlaces(slot: Slot, server: string): string[] {
  const { serve, shift, hold, page, preview } = backendNames(slot);
  return [hold, page, preview, shift, serve].map((backend) => `${backend}/${server}`);
}

function standIns(rows: readonly ReadonlyMap<string, string>[], backend: string) {
  return rows.filter((row) => row.get("pxname") === backend && row.get("svname")!.startsWith("other-"));
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

/** Rows of what HAProxy tells as lines, by the names in the first one. */
function table(text: string, separator: string): ReadonlyMap<string, string>[] {
  const [header = "", ...rows] = text.split("\n");
  const columns = header.replace(/^# /, "").split(separator);
  return rows.map((row) => {
    const cells = row.split(separator);
    return new Map(columns.map((column, index) => [column, cells[index] ?? ""]));
  });
}
