/** What the proxies' directors did, in one order and in words: verified, moved, judged, drained. */
import type { Comparison, Figures, JournalEntry } from "../../release/journal";
import type { Receipt } from "../../release/receipt";
import { otherSlot } from "../../release/slot";
import type { Mark } from "./charts";
import { html } from "./html";
import type { Html, Piece } from "./html";
import { table } from "./page";
import { count, milliseconds, offset, plural, seconds } from "./words";

export interface NumberedEvent {
  readonly number: number;
  readonly proxy: string;
  readonly entry: JournalEntry;
}

/** Numbers are in the order of time, whatever proxy it was. */
export function eventsOf({ proxies }: Receipt): NumberedEvent[] {
  return proxies
    .flatMap(({ proxy, journal }) => journal.map((entry) => ({ proxy, entry })))
    .sort((one, other) => one.entry.at - other.entry.at)
    .map((event, index) => ({ number: index + 1, ...event }));
}

/** Those that lie in the chart's time: a proxy's clock may differ from the clock of who measured. */
export function marksOf(events: readonly NumberedEvent[], begin: number, end: number): Mark[] {
  return events
    .filter(({ entry }) => entry.at >= begin && entry.at <= end)
    .map(({ number, entry }) => ({
      number,
      at: (entry.at - begin) / 1000,
      isBad: entry.event === "judged" && entry.verdict === "fail",
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
      { title: "What" },
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

function describe(entry: JournalEntry): Piece {
  switch (entry.event) {
    case "verified":
      return html`<span
        ><span class="good">Verified</span>: ${plural(entry.endpoints, "endpoint")} of ${entry.slot} answered
        as <code>${entry.releaseId}</code>, in ${seconds(entry.seconds)}</span
      >`;
    case "traffic":
      return moved(entry);
    case "judged":
      return judged(entry);
    case "drained":
      return drained(entry);
  }
}

function moved({ live, share, mode }: Extract<JournalEntry, { event: "traffic" }>): string {
  if (mode === "hold") return "Requests are held while the site is recreated";
  if (mode === "page") return "A page with Retry-After is shown while the site is recreated";
  if (live === null) return "No slot gets requests";
  if (share === 0) return `All requests to ${live}`;
  if (share === 100) return `All requests to ${otherSlot(live)}`;
  return `${share} % of the requests to ${otherSlot(live)}, ${100 - share} % to ${live}`;
}

function judged({ verdict, comparison }: Extract<JournalEntry, { event: "judged" }>): Html {
  const what = `at ${comparison.share} %, over ${seconds(comparison.seconds)}`;
  return verdict === "pass"
    ? html`<span><span class="good">Judged good</span> ${what}</span>`
    : html`<span><span class="bad">Judged bad</span> ${what}</span>`;
}

function drained({ slot, running, cut }: Extract<JournalEntry, { event: "drained" }>): string {
  if (running === 0) return `${capital(slot)} drained: nothing was left running`;
  const left = `${plural(running, "request")} still ran`;
  return `${capital(slot)} drained as far as its time allowed: ${left}${cut ? " and were cut" : ""}`;
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
