/** What the directors did, in order of time: verified, moved traffic, judged, drained. */
import { describeKnown } from "../../release/comparison-words";
import type { Comparison, Figures, JournalEntry } from "../../release/journal";
import { describeEntry, describeVerdict } from "../../release/journal-words";
import type { Receipt } from "../../release/receipt";
import type { Mark } from "./charts";
import { html } from "./html";
import type { Html, Piece } from "./html";
import { table } from "./page";
import { count, milliseconds, offset, plural, seconds } from "./format";

export interface NumberedEvent {
  readonly number: number;
  readonly proxy: string;
  readonly entry: JournalEntry;
}

/** Numbered in order of time, across all proxies. */
export function eventsOf({ proxies }: Receipt): NumberedEvent[] {
  return proxies
    .flatMap(({ proxy, journal }) => journal.map((entry) => ({ proxy, entry })))
    .sort((one, other) => one.entry.at - other.entry.at)
    .map((event, index) => ({ number: index + 1, ...event }));
}

/** Those within the chart's time: a proxy's clock may differ from that of the load. */
export function marksOf(events: readonly NumberedEvent[], begin: number, end: number): Mark[] {
  return events
    .filter(({ entry }) => entry.at >= begin && entry.at <= end)
    .map(({ number, entry }) => ({
      number,
      at: (entry.at - begin) / 1000,
      isBad:
        (entry.event === "judged" && entry.verdict === "fail") || (entry.event === "users" && entry.worse),
    }));
}

export function eventTable(events: readonly NumberedEvent[], begin: number): Html {
  const several = new Set(events.map(({ proxy }) => proxy)).size > 1;
  return table(
    "Gates and decisions",
    [
      { title: "No." },
      { title: "Time", align: "right" },
      ...(several ? [{ title: "Proxy" }] : []),
      { title: "Event" },
      { title: "Candidate" },
      { title: "Stable" },
    ],
    events.map(({ number, proxy, entry }) => [
      number,
      offset((entry.at - begin) / 1000),
      ...(several ? [html`<code>${proxy}</code>`] : []),
      describe(entry),
      entry.event === "judged" && side(entry.comparison, "candidate"),
      entry.event === "judged" && side(entry.comparison, "stable"),
    ]),
  );
}

/** The figures of a verdict have their own columns. */
function describe(entry: JournalEntry): Piece {
  switch (entry.event) {
    case "verified":
      return html`<span class="good">${describeEntry(entry)}</span>`;
    case "judged": {
      const { leftOut = 0, seconds: length, notJudged } = entry.comparison;
      const known = describeKnown(entry.comparison).join("; ");
      const tone = entry.verdict === "fail" ? "bad" : notJudged === undefined ? "good" : "warn";
      return html`<span class="${tone}">${describeVerdict(entry)}</span>, over
        ${seconds(length)}${leftOut > 0 && `, without ${plural(leftOut, "error")} of one client`}
        ${known !== "" && html`<div><small>${known}</small></div>`}`;
    }
    case "users":
      return entry.worse
        ? html`<span class="bad">${capital(describeEntry(entry))}</span>`
        : capital(describeEntry(entry));
    default:
      return capital(describeEntry(entry));
  }
}

function side(comparison: Comparison, which: "candidate" | "stable"): Piece {
  const { requests, errors, p95Ms }: Figures = comparison[which];
  if (requests === 0) return html`<span class="muted">no requests</span>`;
  return html`<span class="${errors > 0 && "bad"}">${plural(errors, "error")}</span>
    <small>of ${count(requests)}${p95Ms !== null && `, p95 ${milliseconds(p95Ms)}`}</small>`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
