/**
 * Controls NGINX without a reload: a folder of files behind a symlink decides where requests go. Only a change of the
 * rotation needs a reload.
 */
import { rmSync, statSync } from "node:fs";
import { writeAtomically } from "../../../../system/atomic-file";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import type { Endpoint } from "../../../../configuration/naming";
import { placeOf } from "../../../../configuration/sessions";
import type { Activity } from "../../../../release/server-drain";
import { SLOTS } from "../../../../release/slot";
import type { PerSlot, Slot } from "../../../../release/slot";
import { ask } from "../../exchange";
import { sameSessions, writeAnnouncement } from "../driver";
import type { Announcement, Driver, SlotCounts, Traffic } from "../driver";
import { readOut, withoutServers, withServers } from "../rotation";
import type { OutOfRotation } from "../rotation";
import { AnswersLog, hasBegun, markBeginning, unmarkBeginning } from "./answers-log";
import { connectionsTo, family } from "./connections";
import { keptLog, keptPlaces } from "./affinity";
import { CONFIGURATION, EXCLUDED_FILE, NginxConfigurator } from "./nginx-configuration";
import { limitErrorLog, masterPid, reload, reopenLogs, servingGeneration } from "./nginx-process";
import { installedNginx } from "./nginx-program";
import { LEAVING_LOG, provideTraffic, readTraffic, rewriteTraffic, writeTraffic } from "./traffic-folder";
import { markWatched, unmarkWatched } from "./watch-marks";

const HEALTH_MS = 500;
const HEALTH_TIMEOUT_SECONDS = 2;

export class NginxDriver implements Driver {
  private log: AnswersLog | null = null;
  private counting = false;
  private health: { readonly at: number; readonly healthy: ReadonlySet<Endpoint> } | null = null;

  constructor(private readonly spec: DirectorSpec) {}

  async observe(): Promise<Traffic> {
    await servingGeneration();
    limitErrorLog();
    return readTraffic(this.spec);
  }

  async setTraffic(traffic: Traffic): Promise<void> {
    await servingGeneration();
    if (!traffic.fallback && this.counting) this.stopCounting();
    writeTraffic(this.spec, traffic, this.counting);
    if (!sameSessions(readTraffic(this.spec), traffic))
      throw new Error("another process changed nginx's traffic folder while the director set it");
  }

  /** NGINX looks at the files with every request. */
  announce(announcement: Announcement): Promise<void> {
    writeAnnouncement(announcement);
    return Promise.resolve();
  }

  /** NGINX logs answers only meanwhile. */
  async measureLatencies(wanted: boolean): Promise<void> {
    await servingGeneration();
    this.counting = wanted;
    if (wanted) {
      // What was counted before belongs to no sequence.
      if (markBeginning()) this.log = null;
      markWatched();
    } else this.stopCounting();
    rewriteTraffic(this.spec, wanted);
  }

  async counts(): Promise<PerSlot<SlotCounts>> {
    await servingGeneration();
    if (this.counting) markWatched();
    const answers = this.answers().read();
    const healthy = await this.healthyEndpoints();
    const out = readOut(EXCLUDED_FILE);
    const workers = family(masterPid());
    const count = (slot: Slot): SlotCounts => ({
      ...answers[slot].counts(),
      inFlight: connectionsTo(this.spec.endpoints[slot], workers),
      endpoints: this.spec.endpoints[slot].map((endpoint) => ({
        server: endpoint.server,
        healthy: healthy.has(endpoint),
        inRotation: !out[slot].includes(endpoint.server),
        ...answers[slot].ofServer(endpoint.server),
      })),
    });
    return { blue: count("blue"), green: count("green") };
  }

  async idleSeconds(): Promise<number | null> {
    await servingGeneration();
    return secondsSinceChange(LEAVING_LOG);
  }

  /** Only of servers that keep their clients it is known when they were asked last. */
  async activity(slot: Slot, server: string): Promise<Activity> {
    await servingGeneration();
    const index = this.spec.endpoints[slot].findIndex((each) => each.server === server);
    const endpoint = this.spec.endpoints[slot][index];
    if (endpoint === undefined) throw new Error(`there is no ${server} in ${slot}`);
    return {
      running: connectionsTo([endpoint], family(masterPid())),
      idleSeconds: secondsSinceChange(keptLog(placeOf(slot, index + 1))),
    };
  }

  readBegun(): void {
    // Between the steps no director counts, for as long as a migration takes.
    if (hasBegun()) markWatched();
    this.log = new AnswersLog(this.spec, () => reopenLogs(), true);
  }

  async popularPages(): Promise<readonly string[]> {
    await servingGeneration();
    const { live } = readTraffic(this.spec);
    return live === null ? [] : this.answers().popularPages(live);
  }

  async exclude(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.rotate(slot, servers, (out) => withoutServers(out, slot, servers, false));
  }

  async keepClients(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.rotate(slot, servers, (out) => withoutServers(out, slot, servers, true));
  }

  async include(slot: Slot, servers: readonly string[]): Promise<void> {
    await this.rotate(slot, servers, (out) => withServers(out, slot, servers));
  }

  /** NGINX can't end single connections. The instance is stopped next, which ends them. */
  async cut(): Promise<void> {
    return Promise.resolve();
  }

  private answers(): AnswersLog {
    return (this.log ??= new AnswersLog(this.spec, () => reopenLogs(), this.counting));
  }

  private stopCounting(): void {
    this.counting = false;
    unmarkWatched();
    unmarkBeginning();
  }

  private async rotate(
    slot: Slot,
    changed: readonly string[],
    change: (out: OutOfRotation) => OutOfRotation,
  ): Promise<void> {
    const unknown = changed.find(
      (server) => !this.spec.endpoints[slot].some((each) => each.server === server),
    );
    if (unknown !== undefined) throw new Error(`there is no ${unknown} in ${slot}`);
    const before = readOut(EXCLUDED_FILE);
    const wanted = change(before);
    const logs = (out: OutOfRotation) => keptPlaces(this.spec, out).map(({ log }) => log);
    for (const log of logs(wanted)) if (!logs(before).includes(log)) rmSync(log, { force: true });
    // The file first: base's next configuration must have the same servers out of rotation.
    writeAtomically(EXCLUDED_FILE, JSON.stringify(wanted));
    await reload(new NginxConfigurator(this.spec, wanted, installedNginx()).configuration());
    for (const log of logs(before)) if (!logs(wanted).includes(log)) rmSync(log, { force: true });
  }

  /** NGINX has no active health checks: the driver probes the endpoints. */
  private async healthyEndpoints(): Promise<ReadonlySet<Endpoint>> {
    if (this.health !== null && Date.now() - this.health.at < HEALTH_MS) return this.health.healthy;
    const all = SLOTS.flatMap((slot) => this.spec.endpoints[slot]);
    const answers = await Promise.all(all.map((endpoint) => this.isHealthy(endpoint)));
    this.health = { at: Date.now(), healthy: new Set(all.filter((_, index) => answers[index])) };
    return this.health.healthy;
  }

  private async isHealthy(endpoint: Endpoint): Promise<boolean> {
    const { path, status, host, timeoutSeconds } = this.spec.verification;
    const options = {
      protocol: "http1" as const,
      host: host ?? "localhost",
      timeoutSeconds: Math.min(timeoutSeconds, HEALTH_TIMEOUT_SECONDS),
    };
    try {
      return (await ask(endpoint, { method: "GET", path, headers: {} }, options)).status === status;
    } catch {
      return false;
    }
  }
}

/** If NGINX runs, it reloads the configuration, and keeps the old one if it rejects the new one. */
export async function configureNginx(spec: DirectorSpec): Promise<void> {
  provideTraffic(spec);
  const configuration = new NginxConfigurator(spec, readOut(EXCLUDED_FILE), installedNginx()).configuration();
  if (await isServing()) await reload(configuration);
  else writeAtomically(CONFIGURATION, configuration);
}

async function isServing(): Promise<boolean> {
  try {
    return (await servingGeneration()) !== "";
  } catch {
    return false;
  }
}

function secondsSinceChange(file: string): number | null {
  const { mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: null };
  return mtimeMs === null ? null : (Date.now() - mtimeMs) / 1000;
}
