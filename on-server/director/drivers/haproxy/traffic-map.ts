/**
 * The traffic value as HAProxy reads it: a map from a key to a backend, either one key for all requests or one key per
 * bucket. As much as possible is computed in advance, so a request costs little. The value itself is another line.
 */
import { otherSlot, SLOTS } from "../../../../release/slot";
import type { Slot } from "../../../../release/slot";
import { TOKEN_PATTERN } from "../../../../configuration/sessions";
import type { ServerToken } from "../../../../configuration/sessions";
import { BUCKETS, failsOver, parseTraffic, trafficEntries } from "../driver";
import type { Traffic } from "../driver";

export const TRAFFIC_MAP = "traffic.map";

/**
 * The key of all users. Missing while traffic is divided or timed: then the bucket is read from the cookie, or drawn.
 */
export const ALL_USERS = "all";
/** The key of previews. A `;` ends a cookie's value, so no client can send this key. */
export const PREVIEW = ";preview";
/** The value as a key, for reading it back: `;live=blue&weight=5&...`. */
const VALUE = ";live=";

/** Before the name of a server in the other slot's backend. */
export const FAILOVER = "other-";

/**
 * A slot's backends, one for each way to serve it. `shift` also has the other slot's servers for failover, as
 * `other-<server>`. They are not part of the slot.
 */
export function backendNames(slot: Slot) {
  const names = {
    serve: `slot-${slot}`,
    shift: `shift-${slot}`,
    hold: `hold-${slot}`,
    page: `page-${slot}`,
    preview: `preview-${slot}`,
  };
  return { ...names, all: Object.values(names) };
}

/** Backends by their numbers in the map. The numbers must not change: base keeps the map when it updates a proxy. */
export const BACKENDS: readonly string[] = (["serve", "shift", "hold", "page", "preview"] as const).flatMap(
  (way) => SLOTS.map((slot) => backendNames(slot)[way]),
);
/** The number of a server that a token names, times this, is added to the number of its backend. */
export const SERVER_FACTOR = 1_000;
const TOKEN_LINE = new RegExp(`^${TOKEN_PATTERN} `);
/** Added to the number of a bucket whose answers are timed. Its clients are counted, too. */
export const TIMED = 100;
/** Added to the number of a bucket whose clients are counted while others are timed. */
export const COUNTED = 200;
/** The number of timed buckets of each side, in the line of the value if there are any. */
const TIMED_BUCKETS = "timed";
/** In the same line if clients are counted. */
const COUNTS_CLIENTS = "clients";

/** What is measured while a release is watched. */
export interface Measured {
  /** How many buckets of each side are timed, 0 to 50. */
  readonly timed: number;
  /** Whether the requests of all buckets are counted by client, if any are timed. */
  readonly clients: boolean;
}
export const UNMEASURED: Measured = { timed: 0, clients: false };
/** The number of no backend: nothing is deployed yet. */
const NOWHERE = BACKENDS.length;

/**
 * Lines as in the file: a key, a space, a number.
 * @param measured never in the file: a restart ends it.
 * @param tokens of clients that stay on their servers
 */
export function trafficMap(
  traffic: Traffic,
  measured = UNMEASURED,
  tokens: readonly ServerToken[] = [],
): string {
  const lines = linesOf(traffic, measured);
  // Otherwise the bucket says which of them are counted and timed.
  const isAtRest = lines.some((line) => line.startsWith(`${ALL_USERS} `));
  const kept = tokens.map(({ token, slot, number }) => {
    const fallback = failsOver(traffic, slot);
    const way = numberFor({ ...traffic, fallback }, slot !== traffic.live) + (isAtRest ? 0 : TIMED);
    return `${token} ${SERVER_FACTOR * number + way}`;
  });
  return [...lines, ...kept].map((line) => `${line}\n`).join("");
}

/**
 * The traffic that HAProxy serves, from its answer to `show map`: lines like `0x55... 42 1`.
 * @throws Error if it is not a traffic map.
 */
export function shownTraffic(answer: string): Traffic {
  const { traffic, isWhole } = read(answer);
  // Changed by another process: the buckets differ from the value, so report another offset.
  return isWhole ? traffic : { ...traffic, offset: (traffic.offset + 1) % BUCKETS };
}

/** What is measured, from the same answer; null if another process changed the map. */
export function shownMeasured(answer: string): Measured | null {
  const { measured, isWhole } = read(answer);
  return isWhole ? measured : null;
}

/** The traffic of a map in the current format, as in the file. */
export function storedTraffic(map: string): Traffic {
  const value = map.split("\n").find((line) => line.startsWith(VALUE)) ?? "";
  return parseTraffic(valueEntries(value));
}

/** The map in the current format. In version 0.1 it was the value only, as lines like `live blue`. */
export function renewedMap(map: string): string {
  const lines = map.split("\n");
  if (lines.some((line) => line.startsWith(VALUE))) return lines.map(withTodaysName).join("\n");
  const entries = map
    .trim()
    .split("\n")
    .map((line) => line.split(" ") as [string, string]);
  return trafficMap(parseTraffic(new Map(entries)));
}

/** Version 0.1.0 wrote `share` into the value; HAProxy keeps it until the traffic changes. */
function withTodaysName(line: string): string {
  return line.startsWith(VALUE) ? line.replace("&share=", "&weight=") : line;
}

function read(answer: string) {
  const lines = answer.split("\n").flatMap((line) => {
    const [, entry] = /^0x[0-9a-f]+ (\S+ \d+)$/.exec(line.trim()) ?? [];
    // The value names the releases whose tokens these are.
    return entry === undefined || TOKEN_LINE.test(entry) ? [] : [withTodaysName(entry)];
  });
  const value = lines.find((line) => line.startsWith(VALUE)) ?? "";
  const entries = valueEntries(value);
  const traffic = parseTraffic(entries);
  const measured = { timed: Number(entries.get(TIMED_BUCKETS) ?? 0), clients: entries.has(COUNTS_CLIENTS) };
  const isWhole = JSON.stringify(lines.sort()) === JSON.stringify(linesOf(traffic, measured).sort());
  return { traffic, measured, isWhole };
}

function valueEntries(line: string): ReadonlyMap<string, string> {
  return new Map(new URLSearchParams(line.replace(/^;| \d+$/g, "")));
}

function linesOf(traffic: Traffic, { timed, clients }: Measured): string[] {
  const { live, weight, offset } = traffic;
  const entries = new URLSearchParams(trafficEntries(traffic));
  if (timed > 0) entries.append(TIMED_BUCKETS, String(timed));
  if (clients) entries.append(COUNTS_CLIENTS, "all");
  const value = `;${entries.toString()} 0`;
  const divided = live !== null && weight > 0 && weight < 100;
  return [
    value,
    // Always present: a request may look up its bucket just after traffic was divided.
    ...Array.from({ length: BUCKETS }, (_, bucket) => {
      const place = (bucket + offset) % BUCKETS;
      const isTimed = place < timed || place >= BUCKETS - timed;
      return `${bucket} ${numberFor(traffic, place < weight) + (isTimed ? TIMED : clients ? COUNTED : 0)}`;
    }),
    ...(divided || timed > 0 ? [] : [`${ALL_USERS} ${numberFor(traffic, weight === 100)}`]),
    ...(live === null ? [] : [`${PREVIEW} ${numberOf(backendNames(otherSlot(live)).preview)}`]),
  ];
}

function numberFor({ live, mode, fallback }: Traffic, toOther: boolean): number {
  if (live === null) return NOWHERE;
  const names = backendNames(toOther ? otherSlot(live) : live);
  return numberOf(mode === "serve" ? (fallback ? names.shift : names.serve) : names[mode]);
}

export function numberOf(backend: string): number {
  return BACKENDS.indexOf(backend);
}
