/**
 * The traffic value as NGINX reads it: a folder of files behind a symlink, which is replaced by a rename. There is a
 * file for each bucket that goes to green, marks, and with affinity the valid tokens (see affinity.ts). The value itself is
 * in another file.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import type { DirectorSpec } from "../../../../configuration/director-spec";
import { drains, hasAffinity, placeOf, validTokens } from "../../../../configuration/sessions";
import type { KeptReleases, ServerToken } from "../../../../configuration/sessions";
import { SLOTS } from "../../../../release/slot";
import type { Slot } from "../../../../release/slot";
import { CLOSED, isLeft, parseTraffic, trafficEntries } from "../driver";
import type { Traffic } from "../driver";

export const LIVE = "live";
/**
 * File names that are not buckets. A check costs NGINX a system call, so the usual cases have a single mark, in
 * addition to the marks that a configuration of an earlier version knows.
 */
export const MARKS = {
  /** All requests go to this slot, nothing fails over, and nobody counts. */
  restBlue: "rest-blue",
  restGreen: "rest-green",
  /** The same, for a configuration that checks the buckets first. */
  atRest: "at-rest",
  /** Open, divided, and each slot fails over to the other. */
  shifting: "shifting",
  open: "open",
  divided: "divided",
  fallback: "fallback",
  page: "page",
  liveBlue: "live-blue",
} as const;
/** Marks in addition to those that say the same, in the order of NGINX's checks: the first match decides. */
const SHORT: readonly string[] = [MARKS.restBlue, MARKS.restGreen, MARKS.atRest, MARKS.shifting];

/** Follows a dot: a token's file, while all other clients go to one slot. */
export const RESTING = "rest";
/** Follows a dot, in a second file: users leave the token's slot. */
export const LEAVING = "left";
/** NGINX appends a line for each request to a slot that users leave: when it was changed is when the last one was. */
export const LEAVING_LOG = "leaving.log";
/** Before a server's place: a link to its token. */
export const GIVEN = "given-";
const OF_TOKENS = /[.]|^given-/;
const UNKNOWN = "unknown";

const VALUE = "value.json";
const FOLDER = /^traffic-(\d+)$/;

/**
 * The traffic that NGINX serves, from the files that it checks. They match the value unless another process changed
 * them.
 */
export function readTraffic(spec: DirectorSpec): Traffic {
  const all = readdirSync(LIVE).filter((name) => name !== VALUE);
  const { sessions, ...value } = readValue();
  const kept = keptReleases(spec, sessions, all.filter(isOfTokens));
  const traffic = servedTraffic(
    value,
    all.filter((name) => !isOfTokens(name)),
  );
  return kept === undefined ? traffic : { ...traffic, sessions: kept };
}

function servedTraffic(value: Traffic, found: readonly string[]): Traffic {
  const short = SHORT.filter((mark) => found.includes(mark));
  const single = found.filter((name) => !SHORT.includes(name));
  // Earlier versions had fewer marks, and while a director counts there is none for rest.
  const expected = filesOf(value, true);
  if (isSame(singleFilesOf(value), single) && short.every((mark) => expected.includes(mark))) return value;
  const has = (mark: string) => found.includes(mark);
  const [first] = short;
  const buckets = found.filter((name) => /^[0-9]{1,2}$/.test(name)).length;
  const toGreen = first === MARKS.restBlue ? 0 : first === MARKS.restGreen ? 100 : buckets;
  const isOpen = first !== undefined || has(MARKS.open);
  const live = !isOpen ? null : has(MARKS.liveBlue) ? "blue" : "green";
  return {
    live,
    weight: live === "green" ? 100 - toGreen : toGreen,
    // The buckets differ from the value, so report another offset.
    offset: (value.offset + 1) % 100,
    mode: first === undefined && has(MARKS.page) ? "page" : "serve",
    fallback: first === undefined ? has(MARKS.fallback) : first === MARKS.shifting,
  };
}

/** Absent without affinity, and before the first value that was set with it. */
function keptReleases(
  spec: DirectorSpec,
  sessions: KeptReleases | undefined,
  found: readonly string[],
): KeptReleases | undefined {
  if (sessions === undefined || !hasAffinity(spec)) return undefined;
  const tokens = validTokens(spec, sessions);
  const wanted = [...tokenFiles(tokens, false), ...tokens.map(linkTo)];
  const single = found.filter((name) => !name.endsWith(`.${RESTING}`) && !name.endsWith(`.${LEAVING}`));
  const kept = (slot: Slot) => {
    const ofSlot = (name: string) => name.replace(GIVEN, "").startsWith(slot.slice(0, 1));
    if (isSame(wanted.filter(ofSlot), single.filter(ofSlot))) return sessions[slot];
    return single.some(ofSlot) ? UNKNOWN : null;
  };
  return { blue: kept("blue"), green: kept("green") };
}

function isOfTokens(name: string): boolean {
  return OF_TOKENS.test(name);
}

function readValue(): Traffic {
  try {
    const text = readFileSync(`${LIVE}/${VALUE}`, "utf8");
    return parseTraffic(new Map(JSON.parse(text) as [string, string][]));
  } catch {
    return CLOSED;
  }
}

/** Replaces the whole value at once. @param isCounted whether a director counts answers, which NGINX never does at rest. */
export function writeTraffic(spec: DirectorSpec, traffic: Traffic, isCounted = false): void {
  const value = JSON.stringify(trafficEntries(traffic));
  const numbers = readdirSync(".").flatMap((name) => Number(FOLDER.exec(name)?.[1] ?? []));
  const folder = `traffic-${Math.max(0, ...numbers) + 1}`;
  mkdirSync(folder);
  // NGINX's workers may have another user.
  chmodSync(folder, 0o755);
  writeFileSync(`${folder}/${VALUE}`, value);
  // Only the existence of the names counts. A hard link takes a fifth of the time of a new file.
  const files = filesOf(traffic, !isCounted);
  const tokens = validTokens(spec, traffic.sessions);
  const left = tokens.filter(({ slot }) => drains(spec) && isLeft(traffic, slot));
  const others = tokens.filter((token) => !left.includes(token));
  const all = [
    ...files,
    ...tokenFiles(others, files.includes(MARKS.atRest)),
    ...left.flatMap(({ token }) => [token, `${token}.${LEAVING}`]),
  ];
  for (const name of all) linkSync(`${folder}/${VALUE}`, `${folder}/${name}`);
  for (const token of tokens) symlinkSync(token.token, `${folder}/${linkTo(token)}`);
  flush(folder);
  rmSync(`${LIVE}.new`, { force: true });
  symlinkSync(folder, `${LIVE}.new`);
  const before = existsSync(LIVE) ? readlinkSync(LIVE) : null;
  renameSync(`${LIVE}.new`, LIVE);
  flush(".");
  // It is of no use between drains, and must not grow for ever.
  if (left.length === 0 && existsSync(LEAVING_LOG)) truncateSync(LEAVING_LOG);
  // Keep the folder before this one: a request may still be checking it.
  const old = numbers.map((number) => `traffic-${number}`).filter((name) => name !== before);
  for (const name of old) rmSync(name, { recursive: true, force: true });
}

/** The same value again. Its releases are those that were set, whatever became of their tokens' files. */
export function rewriteTraffic(spec: DirectorSpec, isCounted: boolean): void {
  const { sessions } = readValue();
  const traffic = readTraffic(spec);
  writeTraffic(spec, traffic.sessions === undefined ? traffic : { ...traffic, sessions }, isCounted);
}

/** The traffic of a new proxy; and the tokens of servers that are new here. */
export function provideTraffic(spec: DirectorSpec): void {
  if (!existsSync(LIVE)) return writeTraffic(spec, CLOSED);
  const { sessions } = readValue();
  const traffic = readTraffic(spec);
  if (sessions === undefined || traffic.sessions === undefined) return;
  if (SLOTS.every((slot) => traffic.sessions![slot] === sessions[slot])) return;
  rewriteTraffic(spec, !existsSync(`${LIVE}/${MARKS.atRest}`));
}

function tokenFiles(tokens: readonly ServerToken[], isResting: boolean): string[] {
  return tokens.flatMap(({ token }) => [token, ...(isResting ? [`${token}.${RESTING}`] : [])]);
}

function linkTo({ slot, number }: ServerToken): string {
  return `${GIVEN}${placeOf(slot, number)}`;
}

function isSame(files: string[], found: string[]): boolean {
  return JSON.stringify(files.sort()) === JSON.stringify(found.sort());
}

function filesOf(traffic: Traffic, withRest: boolean): string[] {
  const { live, weight, mode, fallback } = traffic;
  const files = singleFilesOf(traffic);
  if (live === null || mode !== "serve") return files;
  if (isDivided(weight)) return fallback ? [...files, MARKS.shifting] : files;
  if (fallback) return files;
  const rest = (live === "green") === (weight === 0) ? MARKS.restGreen : MARKS.restBlue;
  return withRest ? [...files, rest, MARKS.atRest] : files;
}

function isDivided(weight: number): boolean {
  return weight > 0 && weight < 100;
}

function singleFilesOf(traffic: Traffic): string[] {
  const { live, weight, offset, mode, fallback } = traffic;
  if (live === null) return [];
  const buckets = Array.from({ length: 100 }, (_, bucket) => bucket).filter((bucket) => {
    const toOther = (bucket + offset) % 100 < weight;
    return toOther === (live === "blue");
  });
  return [
    ...buckets.map(String),
    MARKS.open,
    ...(isDivided(weight) ? [MARKS.divided] : []),
    ...(mode === "serve" ? [] : [MARKS.page]),
    ...(fallback ? [MARKS.fallback] : []),
    ...(live === "blue" ? [MARKS.liveBlue] : []),
  ];
}

function flush(folder: string): void {
  const file = openSync(folder, "r");
  fsyncSync(file);
  closeSync(file);
}
