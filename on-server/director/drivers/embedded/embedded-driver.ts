/** Drives the embedded proxy over its Unix socket. */
import { request } from "node:http";
import type { Activity } from "../../../../release/server-drain";
import type { PerSlot, Slot } from "../../../../release/slot";
import { parseTraffic, sameSessions, trafficEntries, writeAnnouncement } from "../driver";
import type { Announcement, Driver, SlotCounts, Traffic } from "../driver";
import { ADMIN_SOCKET } from "./embedded-settings";
import type { Rotation } from "./embedded-settings";

const TIMEOUT_MS = 5_000;

/** The proxy does not know the request, or does not accept it. */
class Refused extends Error {}

export class EmbeddedDriver implements Driver {
  /** While a release is watched. */
  private isWatching = false;

  async observe(): Promise<Traffic> {
    return parseTraffic(new Map((await ask("GET", "/traffic")) as [string, string][]));
  }

  async setTraffic(traffic: Traffic): Promise<void> {
    if (!traffic.fallback) this.isWatching = false;
    await ask("PUT", "/traffic", JSON.stringify(trafficEntries(traffic)));
    const observed = await this.observe();
    if (!sameSessions(observed, traffic)) {
      throw new Error(
        `the embedded proxy serves ${JSON.stringify(observed)}, but the director set ${JSON.stringify(traffic)}`,
      );
    }
  }

  async counts(): Promise<PerSlot<SlotCounts>> {
    const counts = (await ask("GET", "/counts")) as PerSlot<SlotCounts>;
    // A proxy that was restarted does not watch any more.
    if (this.isWatching && counts.blue.clients === undefined) await this.measureLatencies(true);
    return counts;
  }

  /** A proxy of version 0.1.0 counts no pages. */
  popularPages(): Promise<readonly string[]> {
    return askIfKnown<readonly string[]>("/pages", []);
  }

  async idleSeconds(slot: Slot): Promise<number | null> {
    return (await askIfKnown<PerSlot<number> | null>("/idle", null))?.[slot] ?? null;
  }

  /** Latencies are always counted. Only the counts by client and by page need the switch. */
  async measureLatencies(wanted: boolean): Promise<void> {
    this.isWatching = wanted;
    await ask("PUT", "/watch", JSON.stringify(wanted));
  }

  async exclude(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.rotate({ slot, servers, inRotation: false });
  }

  async keepClients(slot: Slot, servers: readonly string[]): Promise<void> {
    // Asked first: a proxy of an earlier version would end the sessions.
    await this.activities();
    await this.rotate({ slot, servers, inRotation: false, keepsClients: true });
  }

  async activity(slot: Slot, server: string): Promise<Activity> {
    return (await this.activities())[slot][server] ?? { running: null, idleSeconds: null };
  }

  private async activities(): Promise<PerSlot<Record<string, Activity>>> {
    return (await ask("GET", "/activity")) as PerSlot<Record<string, Activity>>;
  }

  async include(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.rotate({ slot, servers, inRotation: true });
  }

  /** The proxy looks at the files when it is asked for its health. */
  announce(announcement: Announcement): Promise<void> {
    writeAnnouncement(announcement);
    return Promise.resolve();
  }

  async cut(slot: Slot): Promise<void> {
    await ask("PUT", "/cut", JSON.stringify(slot));
  }

  private async rotate(rotation: Rotation): Promise<void> {
    await ask("PUT", "/rotation", JSON.stringify(rotation));
  }
}

/** @param otherwise what a proxy that an earlier version started does not know */
async function askIfKnown<Answer>(path: string, otherwise: Answer): Promise<Answer> {
  try {
    return (await ask("GET", path)) as Answer;
  } catch (error) {
    if (error instanceof Refused) return otherwise;
    throw error;
  }
}

async function ask(method: string, path: string, body = ""): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const unreachable = (error: Error): void =>
      reject(
        new Error(`the embedded proxy can't be reached on ${ADMIN_SOCKET}: ${error.message}; is it running?`),
      );
    const asked = request(
      { socketPath: ADMIN_SOCKET, method, path, timeout: TIMEOUT_MS, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("error", unreachable);
        response.on("end", () => {
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Refused(`the embedded proxy refused ${method} ${path}: ${text}`));
        });
      },
    );
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    asked.on("error", unreachable);
    asked.end(body);
  });
}
