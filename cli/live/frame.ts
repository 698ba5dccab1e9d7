/** Renders a snapshot as lines that fit the terminal. Pure. */
import { describeEntry } from "../../release/journal-words";
import { idOrNull, target } from "../../release/record";
import { otherSlot, SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";
import { agreed } from "../proxies/proxies";
import type { ProxyStatus } from "../../release/director-status";
import type { Colours } from "../terminal/colours";
import { clockTime, gateOf, weightsAfter, timeLeft } from "./gate";
import { fitted, flowed, wrapped } from "./lines";
import type { Size } from "../terminal/screen";
import type { Paint, Span } from "./lines";
import type { Snapshot, Rate, ProxySnapshot } from "./snapshot";
import { difference, servedBy, weightOf } from "./summary";

const INDENT = " ".repeat(9);
const LONGEST_BAR = 40;
const SHORTEST_BAR = 5;
/** Narrower terminals show no roles. */
const ROOM_FOR_ROLES = 60;
const EVENTS = 6;
const REASON_LINES = 3;

export function frame(moment: Snapshot, { columns, rows }: Size, colours: Colours): string[] {
  const fit = (...spans: Span[]): string => fitted(spans, columns);
  const head = [
    fit(...title(moment, colours)),
    ...[timing(moment), measured(moment)].flatMap((text) => (text === null ? [] : [fit([text])])),
    ...warnings(moment).flatMap((text) =>
      wrapped(text, columns, REASON_LINES).map((line) => fit([line, colours.yellow])),
    ),
  ];
  const proxies = moment.proxies.flatMap((seen) => ["", ...proxyLines(moment, seen, columns, colours)]);
  const eventRows = Math.max(0, Math.min(EVENTS, rows - head.length - proxies.length - 1));
  const events = journal(moment)
    .filter((_, index, all) => index >= all.length - eventRows)
    .map(({ time, text }) => fit([`  ${time}  `, colours.dim], [text]));
  const all = [...head, ...proxies, ...(events.length === 0 ? [] : ["", ...events])];
  const short = all.length <= rows ? all : all.filter((line) => line !== "");
  return short.slice(0, rows);
}

function title({ application, environment, record }: Snapshot, colours: Colours): Span[] {
  const wanted = idOrNull(target(record)) ?? "nothing";
  const goal = typeof record.goal === "number" ? `${record.goal} %` : record.goal;
  return [
    [`${application} ${environment}`, colours.bold],
    [`  record ${record.sequence}: ${wanted} in ${record.active}, goal ${goal}`],
  ];
}

function timing(moment: Snapshot): string | null {
  const left = timeLeft(moment);
  if (left === null) return null;
  const working = moment.proxies.findIndex(({ status }) => status?.state.finished === false);
  const status = moment.proxies[working]!.status!;
  const weights = weightsAfter(status.state.weight, working, moment.record, moment.schedule.steps);
  const next = weights.length === 0 ? "" : `; next ${weights.map((weight) => `${weight} %`).join(", ")}`;
  return `${clockTime(left)} left by the schedule${next}`;
}

function measured({ measured: load }: Snapshot): string | null {
  if (load === null) return null;
  const recent = Object.entries(load.lastSecond?.versions ?? {}).map(([id, answers]) => `${answers} ${id}`);
  const now = recent.length === 0 ? "" : `; last second ${recent.join(", ")}`;
  return `measured: ${thousands(load.sent)} sent, ${thousands(load.failed)} failed${now}`;
}

function warnings({ problem, proxies }: Snapshot): string[] {
  const statuses = proxies.flatMap(({ status }) => status ?? []);
  const seen = statuses.length === proxies.length && proxies.length > 0;
  const atWork = statuses.some(({ state }) => !state.finished);
  const each = statuses.map(({ proxy, state }) => `${proxy} serves ${state.stable?.releaseId ?? "nothing"}`);
  const disagree = seen && !atWork && agreed(statuses) === null;
  return [
    ...(problem === null ? [] : [problem]),
    ...(disagree
      ? [`the proxies disagree: ${each.join(", ")}; run \`bluegreen retry\` or \`bluegreen rollback\``]
      : []),
  ];
}

function proxyLines(moment: Snapshot, seen: ProxySnapshot, columns: number, colours: Colours): string[] {
  const { proxy, status, problem } = seen;
  const fit = (...spans: Span[]): string => fitted(spans, columns);
  if (status === null) {
    const text = problem.startsWith(`${proxy} `) ? problem.slice(proxy.length + 1) : problem;
    const [first = "", ...more] = wrapped(text, columns - proxy.length - 2, REASON_LINES);
    const rest = more.map((line) => fit([" ".repeat(proxy.length + 2)], [line, colours.red]));
    return [fit([proxy, colours.bold], [`  ${first}`, colours.red]), ...rest];
  }
  const gate = gateOf(status, moment.record, moment.atWork);
  const mood: Paint = { idle: plain, working: colours.yellow, frozen: colours.red }[gate.mood];
  const until = gate.endsAt === null ? "" : remaining(gate.endsAt - moment.now);
  const { state, traffic } = status;
  const reason = gate.mood === "working" ? "" : (state.result?.reason ?? "");
  const result = reason === "" || reason === gate.what ? "" : `last: ${reason}`;
  return [
    fit([proxy, colours.bold], [`  ${gate.what}${until}`, mood], [age(moment, status), colours.dim]),
    ...(result === "" ? [] : wrapped(result, columns - 2, REASON_LINES)).map((line) =>
      fit([`  ${line}`, gate.mood === "frozen" ? colours.red : colours.dim]),
    ),
    ...(traffic.mode === "serve"
      ? []
      : [fit([traffic.mode === "hold" ? "  requests wait" : "  users get a 503 page", colours.yellow])]),
    ...slotLines(seen, status, columns, colours),
  ];
}

function remaining(milliseconds: number): string {
  if (milliseconds > 0) return `, for another ${clockTime(milliseconds)}`;
  return ", until there are enough requests to analyse";
}

function age({ now }: Snapshot, { at }: ProxyStatus): string {
  if (at === undefined) return "";
  const seconds = Math.max(0, Math.round((now - Date.parse(at)) / 1000));
  return `  reported ${seconds < 120 ? `${seconds} s` : clockTime(1000 * seconds)} ago`;
}

function slotLines(seen: ProxySnapshot, status: ProxyStatus, columns: number, colours: Colours): string[] {
  const labels = { blue: label("blue", status, columns), green: label("green", status, columns) };
  const longest = Math.max(labels.blue.length, labels.green.length);
  // The same length for both, so that they can be compared.
  const room = Math.min(LONGEST_BAR, columns - INDENT.length - longest - 1);
  return SLOTS.flatMap((slot) => {
    const paint = slot === "blue" ? colours.blue : colours.green;
    const bar = room < SHORTEST_BAR ? [] : bars(weightOf(slot, status.traffic), room, paint, colours);
    return [
      fitted([[`  ${slot.padEnd(7)}`, paint], ...bar, [labels[slot]]], columns),
      ...flowed(details(slot, seen, status, colours), columns, INDENT),
    ];
  });
}

function label(slot: Slot, status: ProxyStatus, columns: number): string {
  const release = servedBy(status.endpoints[slot]) ?? (isEmpty(slot, status) ? "empty" : "down");
  const shownRole = columns < ROOM_FOR_ROLES ? "" : role(slot, status);
  return `${String(weightOf(slot, status.traffic)).padStart(3)} %  ${release}  ${shownRole}`.trimEnd();
}

/** Requests per second, and each server's state. */
function details(slot: Slot, { rates }: ProxySnapshot, status: ProxyStatus, colours: Colours): Span[][] {
  const endpoints = isEmpty(slot, status) ? [] : status.endpoints[slot];
  const release = servedBy(endpoints);
  const isQuiet = weightOf(slot, status.traffic) === 0 && rates?.[slot].perSecond === 0;
  return [
    ...(rates === null || isQuiet ? [] : [rateSpans(rates[slot], colours)]),
    ...endpoints.map((endpoint): Span[] => {
      const odd = difference(endpoint, release);
      const mark: Span = endpoint.healthy ? ["✔", colours.green] : ["✘", colours.red];
      return [[`${endpoint.server} `], mark, [odd && ` ${odd}`, colours.yellow]];
    }),
  ];
}

/** Nothing answers, and nothing should. */
function isEmpty(slot: Slot, status: ProxyStatus): boolean {
  return servedBy(status.endpoints[slot]) === null && role(slot, status) === "";
}

function bars(weight: number, room: number, paint: Paint, colours: Colours): Span[] {
  // Even the smallest weight is visible.
  const full = weight === 0 ? 0 : Math.max(1, Math.round((weight * room) / 100));
  return [["█".repeat(full), paint], ["░".repeat(room - full), colours.dim], [" "]];
}

function rateSpans({ perSecond, errorRatio }: Rate, colours: Colours): Span[] {
  const percent = 100 * errorRatio;
  const digits = percent === 0 || percent >= 10 ? 0 : 1;
  return [
    [`${thousands(Math.round(perSecond))}/s, `],
    [`${percent.toFixed(digits)} % errors`, errorRatio > 0 ? colours.red : plain],
  ];
}

function role(slot: Slot, { state }: ProxyStatus): string {
  if (state.stable?.slot === slot) return "stable";
  if (state.candidate?.slot === slot) return "candidate";
  const isRetained = state.stable?.slot === otherSlot(slot) && state.retainedUntil !== null;
  return isRetained ? "retained" : "";
}

/** All proxies' journal entries by time; with several proxies, each entry has its proxy's name. */
function journal({ proxies }: Snapshot): { readonly time: string; readonly text: string }[] {
  const named = proxies.length > 1;
  return proxies
    .flatMap(({ proxy, status }) => (status?.state.journal ?? []).map((entry) => ({ proxy, entry })))
    .sort((one, other) => one.entry.at - other.entry.at)
    .map(({ proxy, entry }) => ({
      time: new Date(entry.at).toTimeString().slice(0, 8),
      text: `${named ? `${proxy}: ` : ""}${describeEntry(entry)}`,
    }));
}

function thousands(number: number): string {
  return number.toLocaleString("en-US");
}

function plain(text: string): string {
  return text;
}
