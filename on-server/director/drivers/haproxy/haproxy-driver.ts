/**
 * Drives HAProxy without ever reloading it: the traffic value is a map that is replaced as a whole over the
 * stats socket (`prepare map`, `add map`, `commit map`; HAProxy >= 2.4), so no request sees half of a change.
 */
import { writeAtomically } from "../../../../system/atomic-file";
import type { PerSlot, Slot } from "../../../../release/slot";
import { parseTraffic, sameTraffic, trafficEntries } from "../driver";
import type { Driver, SlotCounts, Traffic } from "../driver";
import { ADMIN_SOCKET, backendNames, trafficMap, TRAFFIC_MAP } from "./haproxy-configuration";
import { RuntimeSocket } from "./runtime-socket";

export class HaproxyDriver implements Driver {
  private readonly socket = new RuntimeSocket(ADMIN_SOCKET);

  async observe(): Promise<Traffic> {
    const answer = await this.socket.send(`show map ${TRAFFIC_MAP}`);
    const entries = new Map<string, string>();
    for (const line of answer.split("\n")) {
      const [, key, value] = /^0x[0-9a-f]+ (\S+) (.*)$/.exec(line) ?? [];
      if (key !== undefined && value !== undefined) entries.set(key, value.trim());
    }
    return parseTraffic(entries);
  }

  async setTraffic(traffic: Traffic): Promise<void> {
    const prepared = await this.socket.send(`prepare map ${TRAFFIC_MAP}`);
    const [, version] = /^New version created: (\d+)$/.exec(prepared) ?? [];
    if (version === undefined) throw new Error(`haproxy refused to prepare the traffic map: ${prepared}`);
    const lines = trafficEntries(traffic).map(([key, value]) => `${key} ${value}`);
    await this.expectSilence(`add map @${version} ${TRAFFIC_MAP} <<\n${lines.join("\n")}\n`);
    await this.expectSilence(`commit map @${version} ${TRAFFIC_MAP}`);
    const observed = await this.observe();
    if (!sameTraffic(observed, traffic)) {
      throw new Error(
        `haproxy serves ${JSON.stringify(observed)} although it was told ${JSON.stringify(traffic)}`,
      );
    }
    // For a restart: HAProxy comes up with the weights it had.
    writeAtomically(TRAFFIC_MAP, trafficMap(traffic));
  }

  async counts(): Promise<PerSlot<SlotCounts>> {
    const [header, ...rows] = (await this.socket.send("show stat -1 6 -1")).split("\n");
    const columns = (header ?? "").replace(/^# /, "").split(",");
    const table = rows.map((row) => {
      const cells = row.split(",");
      return new Map(columns.map((column, index) => [column, cells[index] ?? ""]));
    });
    const count = (slot: Slot): SlotCounts => {
      const names = backendNames(slot);
      const backends = table.filter(
        (row) => row.get("svname") === "BACKEND" && names.all.includes(row.get("pxname")!),
      );
      const servers = table.filter(
        (row) => row.get("pxname") === names.serve && row.get("svname") !== "BACKEND",
      );
      const sum = (column: string) =>
        backends.reduce((total, row) => total + Number(row.get(column) ?? 0), 0);
      return {
        requests: sum("req_tot"),
        errors: sum("hrsp_5xx"),
        inFlight: sum("scur"),
        healthyEndpoints: servers.filter((row) => row.get("status")!.startsWith("UP")).length,
      };
    };
    return { blue: count("blue"), green: count("green") };
  }

  private async expectSilence(command: string): Promise<void> {
    const answer = await this.socket.send(command);
    if (answer !== "") throw new Error(`haproxy refused "${command.split("\n", 1)[0]}": ${answer}`);
  }
}
