/**
 * A driver controls one kind of proxy. It knows nothing about releases or schedules: it sets the value that decides
 * where requests go, reads it back, and counts.
 */
import { chmodSync, existsSync, readFileSync, rmSync } from "node:fs";
import { writeAtomically } from "../../../system/atomic-file";
import type { SlotCounts as ReportedCounts, Traffic } from "../../../release/director-status";
import { releaseLeft } from "../../../release/draining";
import type { Activity } from "../../../release/server-drain";
import { SLOTS } from "../../../release/slot";
import type { PerSlot, Slot } from "../../../release/slot";

export type { Traffic };

/** In a traffic value's text: before the slot whose release keeps its clients, and instead of a release. */
const KEPT = "sessions-";
const NO_RELEASE = "none";

export const CLOSED: Traffic = { live: null, weight: 0, offset: 0, mode: "serve", fallback: false };

/**
 * What the proxy counted for one slot since it started. `errors` means the same with every driver: answers of users with
 * a status from 500 on, and requests that got no whole answer from the slot although their client was still there: the
 * instance refused, broke off or was silent too long, or the other slot took over. A client that leaves, a request that
 * the proxy itself refuses (4xx), and previews are no errors.
 */
export interface SlotCounts extends ReportedCounts {
  /**
   * How long answers took to begin: number of answers by milliseconds, in classes (see `latencyClass`). Possibly of a
   * sample of the answers only (see `measureLatencies`).
   */
  readonly latency: Latencies;
  readonly endpoints: readonly EndpointHealth[];
  /**
   * The same counts by client, so that one client can't decide about a release. A client is `<address>|<bucket>`; the
   * address is the last one that no trusted balancer added. Counted while a release is watched (`measureLatencies`),
   * at most MOST_CLIENTS a slot, those with most errors first. Absent if the proxy can't tell clients apart.
   */
  readonly clients?: Readonly<Record<string, ClientCounts>> | undefined;
  /** All answers by class. Absent if the proxy can't tell, or does not count now. */
  readonly classes?: Classes | undefined;
}

/** `none`: no whole answer from the slot, which is an error, as is 5xx. A protocol change (101) counts as 2xx. */
export const ANSWER_CLASSES = ["2xx", "3xx", "4xx", "5xx", "none"] as const;
export type AnswerClass = (typeof ANSWER_CLASSES)[number];
/** Numbers of answers by class; absent is 0. */
export type Classes = Readonly<Partial<Record<AnswerClass, number>>>;

/** Counts of one client in one slot, cumulated. The latency is possibly of a sample only. */
export interface ClientCounts {
  readonly requests: number;
  readonly errors: number;
  readonly latency: Latencies;
  /** Absent if the proxy can't tell by client. */
  readonly classes?: Classes | undefined;
}

export const MOST_CLIENTS = 1_000;
export const MOST_PAGES = 20;
/** The longest path of a page that is counted; others are left out. */
export const LONGEST_PAGE = 120;

/** Each client belongs to one of these buckets, 0 to 99. */
export const BUCKETS = 100;

/** Numbers of answers by their latency class, in milliseconds. */
export type Latencies = Readonly<Record<number, number>>;

/**
 * The class of a latency: exact below 64 ms, then in steps of 16, from 1024 ms on in steps of 256, at most a minute.
 */
export function latencyClass(milliseconds: number): number {
  const whole = Math.min(60_000, Math.max(0, Math.floor(milliseconds)));
  return whole - (whole % widthOfClass(whole));
}

/** Where the class begins that begins nearest to this time. */
export function nearestLatencyClass(milliseconds: number): number {
  return latencyClass(milliseconds + widthOfClass(milliseconds) / 2);
}

function widthOfClass(milliseconds: number): number {
  return milliseconds < 64 ? 1 : milliseconds < 1024 ? 16 : 256;
}

/** How the proxy sees one endpoint of a slot. */
export interface EndpointHealth {
  readonly server: string;
  /** By the proxy's check, which continues while the endpoint is out of rotation. */
  readonly healthy: boolean;
  /** Whether the endpoint gets requests of the slot while it is healthy. */
  readonly inRotation: boolean;
  /** Requests and errors of this endpoint, counted as the slot's. Absent if the proxy can't tell. */
  readonly requests?: number | undefined;
  readonly errors?: number | undefined;
}

/** What a proxy shows to load balancers, at /proxy-healthz, and to the other proxies, at {@link SEQUENCE_PATH}. */
export interface Announcement {
  /** The last sequence that has ended here. */
  readonly sequence: number;
  /** Whether its health endpoint answers 200; otherwise 503. */
  readonly ready: boolean;
}

/** The path with the announced sequence, as text. */
export const SEQUENCE_PATH = "/proxy-healthz/record";
/**
 * While this file is there, the proxy is not ready when it starts. What starts the proxy writes it; the first
 * announcement removes it.
 */
export const NOT_READY_FILE = "not-ready";
/** The announced sequence, for a restart. */
export const SEQUENCE_FILE = "announced-sequence";

export interface Driver {
  /** The traffic that the proxy serves now, read from the proxy. */
  observe(): Promise<Traffic>;
  /** Replaces the traffic atomically, without losing a request, and reads it back. */
  setTraffic(traffic: Traffic): Promise<void>;
  counts(): Promise<PerSlot<SlotCounts>>;
  /**
   * The paths that users asked for most with GET lately and got an answer below 400 for, without query strings, most
   * asked first, at most {@link MOST_PAGES}, none longer than {@link LONGEST_PAGE}. Health and private paths are left out.
   * Collected while answers are counted (`measureLatencies`). Absent if the proxy can't tell.
   */
  popularPages?(): Promise<readonly string[]>;
  /**
   * How long ago a slot got its last request, in seconds; null if the proxy can't tell, as it got none since it started or was
   * never asked to notice. Only needs to be right for a slot that users leave (`isLeft`). Absent without affinity.
   */
  idleSeconds?(slot: Slot): Promise<number | null>;
  /**
   * Starts or stops the counting of latencies, which is too expensive to do always; a sample large enough for the
   * analysis suffices. NGINX counts requests and errors only meanwhile, too. Idempotent. It also stops with traffic that has no candidate (`fallback` is off). Absent if the
   * driver always counts all latencies.
   */
  measureLatencies?(wanted: boolean): Promise<void>;
  /**
   * Makes `counts` have what is counted because another process turned the counting on (`measureLatencies`), and changes
   * nothing. Absent if it has that anyway.
   */
  readBegun?(): void;
  /**
   * Takes servers out of a slot's rotation: they get no new requests and don't count as healthy endpoints. Running
   * requests continue. Idempotent.
   */
  exclude(slot: Slot, servers: readonly string[]): Promise<void>;
  /**
   * As {@link exclude}, but clients that have a server's cookie stay on it. `exclude` and `include` end that. Idempotent. Absent if
   * the proxy has no such cookie.
   * @throws Error if the proxy that runs is too old for it
   */
  keepClients?(slot: Slot, servers: readonly string[]): Promise<void>;
  /** What users have running on one server of a slot, and how long ago it got its last request. Absent if the proxy can't tell. */
  activity?(slot: Slot, server: string): Promise<Activity>;
  /**
   * Ends the requests that still run on a slot after the drain. A proxy that can't leaves it to the instance, which is
   * stopped next.
   */
  cut(slot: Slot): Promise<void>;
  /** Returns servers to the rotation. Idempotent. */
  include(slot: Slot, servers: readonly string[]): Promise<void>;
  /**
   * Idempotent. It outlives a restart, but a proxy that starts with {@link NOT_READY_FILE} is not ready. Absent if the
   * proxy's health endpoint is not the driver's.
   */
  announce?(announcement: Announcement): Promise<void>;
}

/** What a driver announced before, from the files. */
export function announced(): Announcement {
  const text = existsSync(SEQUENCE_FILE) ? readFileSync(SEQUENCE_FILE, "utf8") : "";
  return { sequence: Number(/^\d{1,15}/.exec(text)?.[0] ?? 0), ready: !existsSync(NOT_READY_FILE) };
}

/** NGINX's workers read it, perhaps as another user. */
export function writeSequence(sequence: number): void {
  writeAtomically(SEQUENCE_FILE, `${sequence}\n`);
  chmodSync(SEQUENCE_FILE, 0o644);
}

export function writeAnnouncement({ sequence, ready }: Announcement): void {
  writeSequence(sequence);
  if (ready) rmSync(NOT_READY_FILE, { force: true });
  else writeAtomically(NOT_READY_FILE, "");
}

/** Writes the proxy's configuration; base runs it before the proxy starts. */
export interface ProxyConfigurator {
  /** The files of this proxy, by name, in its folder. */
  files(): Readonly<Record<string, string>>;
}

/**
 * The traffic value as text, for HAProxy's map and for files.
 * @throws Error if it is invalid (a weight of 101), before a driver has changed anything.
 */
export function trafficEntries(traffic: Traffic): [key: string, value: string][] {
  const entries: [string, string][] = [
    ["live", traffic.live ?? "none"],
    ["weight", String(traffic.weight)],
    ["offset", String(traffic.offset)],
    ["mode", traffic.mode],
    ["fallback", traffic.fallback ? "on" : "off"],
    ...(traffic.sessions === undefined
      ? []
      : SLOTS.map((slot): [string, string] => [`${KEPT}${slot}`, traffic.sessions![slot] ?? NO_RELEASE])),
  ];
  parseTraffic(new Map(entries));
  return entries;
}

/**
 * Version 0.1.0 wrote `share` for `weight`.
 * @throws Error if the entries are invalid: another process changed the proxy.
 */
export function parseTraffic(entries: ReadonlyMap<string, string>): Traffic {
  const live = entries.get("live");
  const weight = Number(entries.get("weight") ?? entries.get("share"));
  const offset = Number(entries.get("offset"));
  const mode = entries.get("mode");
  const fallback = entries.get("fallback");
  if (
    (live === "blue" || live === "green" || live === "none") &&
    Number.isInteger(weight) &&
    weight >= 0 &&
    weight <= 100 &&
    Number.isInteger(offset) &&
    offset >= 0 &&
    offset <= 99 &&
    (mode === "serve" || mode === "hold" || mode === "page") &&
    (fallback === "on" || fallback === "off")
  ) {
    const sessions = keptReleases(entries);
    return {
      ...{ live: live === "none" ? null : live, weight, offset, mode, fallback: fallback === "on" },
      ...(sessions !== undefined && { sessions }),
    };
  }
  throw new Error(
    `the proxy's traffic entries are invalid, another process changed them: ${JSON.stringify([...entries])}`,
  );
}

/** Absent in a value that was set without affinity. */
function keptReleases(entries: ReadonlyMap<string, string>): Traffic["sessions"] {
  const [blue, green] = SLOTS.map((slot) => entries.get(`${KEPT}${slot}`));
  if (blue === undefined || green === undefined) return undefined;
  return { blue: blue === NO_RELEASE ? null : blue, green: green === NO_RELEASE ? null : green };
}

/** Whether new clients get the same. */
export function sameTraffic(one: Traffic, other: Traffic): boolean {
  const text = ({ sessions: _, ...traffic }: Traffic) => JSON.stringify(trafficEntries(traffic));
  return text(one) === text(other);
}

/** Whether those that stay on their servers do as well. */
export function sameSessions(one: Traffic, other: Traffic): boolean {
  return JSON.stringify(trafficEntries(one)) === JSON.stringify(trafficEntries(other));
}

/** Whether only clients that stay on their servers get this slot: their release was live before. */
export function isLeft(traffic: Traffic, slot: Slot): boolean {
  return releaseLeft(traffic)?.slot === slot;
}

/** Whether the other slot's servers stand in for a slot's: both are verified. */
export function failsOver(traffic: Traffic, slot: Slot): boolean {
  return traffic.fallback || isLeft(traffic, slot);
}

/** Slots that get requests of new clients. */
export function servingSlots(traffic: Traffic): Slot[] {
  if (traffic.live === null) return [];
  const other = traffic.live === "blue" ? "green" : "blue";
  return [...(traffic.weight < 100 ? [traffic.live] : []), ...(traffic.weight > 0 ? ([other] as const) : [])];
}
