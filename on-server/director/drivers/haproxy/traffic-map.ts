/**
 * The traffic value as HAProxy reads it: a map in which a request finds its backend, all by one key or each by its bucket.
 * What can be known beforehand is in the map, so a request costs little; the value itself is a line beside the others.
 */
import { otherSlot, SLOTS } from "../../../../release/slot";
import type { Slot } from "../../../../release/slot";
import { BUCKETS, parseTraffic, trafficEntries } from "../driver";
import type { Traffic } from "../driver";

export const TRAFFIC_MAP = "traffic.map";

/** The key of all users; it is missing while traffic is divided or timed: their buckets are looked for, or drawn. */
export const ANYBODY = "all";
/** The key of who previews. A `;` ends a cookie's value, so no client can ask for it. */
export const PREVIEW = ";preview";
/** The value as a key, for who reads it back: `;live=blue&weight=5&...`. */
const VALUE = ";live=";

/**
 * A slot's backends, one for each way to serve it. In `shift` the other slot's servers stand in: they are called
 * `other-<server>` there, and are none of the slot's.
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

/** Backends by their numbers in the map, which stay what they are: base keeps the map of a proxy that it renews. */
export const BACKENDS: readonly string[] = (["serve", "shift", "hold", "page", "preview"] as const).flatMap(
  (way) => SLOTS.map((slot) => backendNames(slot)[way]),
);
/** So much more is the number of a bucket whose answers are timed. */
export const TIMED = 100;
/** How many are, of each side: beside the value, where any are. */
const TIMED_BUCKETS = "timed";
/** The number of no backend: nothing is deployed yet. */
const NOWHERE = BACKENDS.length;

/**
 * Lines as in the file: a key, a space, a number.
 * @param timed how many of each side's buckets have their answers timed, 0 to 50. Never in the file: a restart ends it.
 */
export function trafficMap(traffic: Traffic, timed = 0): string {
  return linesOf(traffic, timed)
    .map((line) => `${line}\n`)
    .join("");
}

/**
 * What HAProxy does, from its answer to `show map`: lines as `0x55... 42 1`.
 * @throws Error where it is no traffic map.
 */
export function shownTraffic(answer: string): Traffic {
  const { told, isWhole } = read(answer);
  // Somebody changed it: whatever the buckets are now, they are not those of the value.
  return isWhole ? told : { ...told, offset: (told.offset + 1) % BUCKETS };
}

/** How many of each side's buckets are timed, from the same answer; null where somebody changed the map. */
export function shownTimed(answer: string): number | null {
  const { timed, isWhole } = read(answer);
  return isWhole ? timed : null;
}

/** A map as it is written now: that of version 0.1 was the value only, as lines like `live blue`. */
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
    return entry === undefined ? [] : [withTodaysName(entry)];
  });
  const value = lines.find((line) => line.startsWith(VALUE)) ?? "";
  const entries = new Map(new URLSearchParams(value.replace(/^;| \d+$/g, "")));
  const told = parseTraffic(entries);
  const timed = Number(entries.get(TIMED_BUCKETS) ?? 0);
  const isWhole = JSON.stringify(lines.sort()) === JSON.stringify(linesOf(told, timed).sort());
  return { told, timed, isWhole };
}

function linesOf(traffic: Traffic, timed: number): string[] {
  const { live, weight, offset } = traffic;
  const entries = new URLSearchParams(trafficEntries(traffic));
  if (timed > 0) entries.append(TIMED_BUCKETS, String(timed));
  const value = `;${entries.toString()} 0`;
  const divided = live !== null && weight > 0 && weight < 100;
  return [
    value,
    // Always there: a request may look for its bucket when the traffic that was divided is so no more.
    ...Array.from({ length: BUCKETS }, (_, bucket) => {
      const place = (bucket + offset) % BUCKETS;
      const isTimed = place < timed || place >= BUCKETS - timed;
      return `${bucket} ${numberFor(traffic, place < weight) + (isTimed ? TIMED : 0)}`;
    }),
    ...(divided || timed > 0 ? [] : [`${ANYBODY} ${numberFor(traffic, weight === 100)}`]),
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
