/** Charts of what users got over time: answers by release, failed requests, latency. */
import type { TimelinePoint } from "../../release/receipt";
import { draw } from "./charts";
import type { Band, Mark, Plot, Series, Size } from "./charts";
import { coloursOf } from "./colours";
import type { SlotOf } from "./colours";
import { html, Html } from "./html";
import type { Piece } from "./html";
import { count, milliseconds, percentage, plural, seconds } from "./format";

export interface TrafficChart {
  /** Unique in the document: lower-case letters, digits and hyphens. */
  readonly name: string;
  /** For screen readers. */
  readonly title: string;
  /** Milliseconds since 1970: where the time axis begins and ends. */
  readonly begin: number;
  readonly end: number;
  readonly timeline: readonly TimelinePoint[];
  readonly slotOf: SlotOf;
  readonly marks: readonly Mark[];
  readonly bands: readonly Band[];
}

interface Interval {
  /** Seconds since the beginning. */
  readonly at: number;
  readonly seconds: number;
  readonly point: TimelinePoint;
}

const PERCENTILES = [
  { key: "p99", meaning: "99 % within", colour: "var(--faint)", width: 1.25 },
  { key: "p95", meaning: "95 % within", colour: "var(--muted)", width: 1.25 },
  { key: "p50", meaning: "50 % within", colour: "var(--ink)", width: 2 },
] as const;

export function renderTrafficCharts(traffic: TrafficChart): Html {
  const intervals = intervalsOf(traffic);
  if (intervals.length === 0) return html`<p class="muted">There is no timeline.</p>`;
  return html`${byRelease(traffic, intervals)}${failures(traffic, intervals)}${latency(traffic, intervals)}`;
}

/** The whole axis: from the earlier of the two begins to the later of the two ends. */
export function axisOf(startedAt: string, endedAt: string, timeline: readonly TimelinePoint[]) {
  const first = timeline[0];
  const last = timeline.at(-1);
  const begin = Math.min(Date.parse(startedAt), first === undefined ? Infinity : Date.parse(first.at));
  const end = Math.max(
    Date.parse(endedAt),
    last === undefined ? -Infinity : Date.parse(last.at) + 1000 * last.seconds,
  );
  return { begin, end: Math.max(end, begin + 1000) };
}

function intervalsOf({ timeline, begin }: TrafficChart): Interval[] {
  return timeline
    .filter(({ seconds }) => seconds > 0)
    .map((point) => ({ at: (Date.parse(point.at) - begin) / 1000, seconds: point.seconds, point }))
    .sort((one, other) => one.at - other.at);
}

interface Layer extends Series {
  readonly name: Piece;
  readonly total: number;
}

function byRelease(traffic: TrafficChart, intervals: readonly Interval[]): Html {
  const ids = [...new Set(intervals.flatMap(({ point }) => Object.keys(point.versions)))];
  const colours = coloursOf(ids, traffic.slotOf);
  const layer = (name: Piece, colour: string, of: (point: TimelinePoint) => number): Layer => ({
    name,
    colour,
    total: sum(intervals, of),
    values: intervals.map(({ point, seconds }) => of(point) / seconds),
  });
  const named = ids.map((id) => {
    const slot = Object.hasOwn(traffic.slotOf, id) ? `, ${traffic.slotOf[id]}` : "";
    const name = html`<code>${id}</code><span class="muted">${slot}</span>`;
    return { id, ...layer(name, colours.get(id)!, ({ versions }) => answersOf(versions, id)) };
  });
  const unnamed = layer("good, release unknown", "var(--other-3)", ({ sent, failed }) => sent - failed);
  const failed = layer("failed, no release answered", "var(--bad-area)", failedUnanswered);
  const layers: Layer[] = [...(ids.length > 0 ? named : [unnamed]), ...(failed.total > 0 ? [failed] : [])];
  const answers = named.reduce((all, { total }) => all + total, 0);
  const weights = named.map(({ id, total }) => `${id} ${percentage(total, answers)}`).join(", ");
  return chart(
    traffic,
    {
      key: "traffic",
      title: "Answers by release",
      unit: "per second",
      label: `answers per second by release over ${seconds((traffic.end - traffic.begin) / 1000)}. ${weights === "" ? "No answer named a release" : `Of all answers ${weights}`}${failed.total > 0 ? `; ${plural(failed.total, "request")} failed without an answer` : ""}.`,
      legend: layers.map(
        ({ name, colour, total }) =>
          html`<li>
            <span class="swatch" style="background:${colour}"></span
            ><span>${name}<span class="muted">, ${count(total)}</span></span>
          </li>`,
      ),
      tall: true,
    },
    { kind: "stack", scale: "perSecond", series: layers, numbered: true },
    intervals,
  );
}

function answersOf(versions: TimelinePoint["versions"], id: string): number {
  return Object.hasOwn(versions, id) ? versions[id]! : 0;
}

/** Failures without an answer of a release. A waiting request is none: it is due in one interval and ends in another. */
function failedUnanswered({ sent, failed, versions }: TimelinePoint): number {
  const answers = Object.values(versions).reduce((all, number) => all + number, 0);
  return Math.min(failed, Math.max(0, sent - answers));
}

function failures(traffic: TrafficChart, intervals: readonly Interval[]): Html {
  const failed = sum(intervals, (point) => point.failed);
  if (failed === 0) {
    return html`<figure>
      <h3>Failed requests</h3>
      <p class="good">None, at any time.</p>
    </figure> `;
  }
  return chart(
    traffic,
    {
      key: "failed",
      title: "Failed requests",
      unit: "per second",
      label: `failed requests per second, ${count(failed)} in all.`,
    },
    {
      kind: "stack",
      scale: "perSecond",
      series: [
        { colour: "var(--bad-area)", values: intervals.map(({ point, seconds }) => point.failed / seconds) },
      ],
      numbered: false,
    },
    intervals,
  );
}

function latency(traffic: TrafficChart, intervals: readonly Interval[]): Html {
  const series = PERCENTILES.map(({ key, colour, width }) => ({
    colour,
    width,
    values: intervals.map(({ point }) => (point.latencyMs[key] > 0 ? point.latencyMs[key] : null)),
  }));
  const worst = Math.max(...intervals.map(({ point }) => point.latencyMs.p99));
  return chart(
    traffic,
    {
      key: "latency",
      title: "Latency",
      unit: "logarithmic",
      label: `latency of answers as percentiles 50, 95 and 99; at worst 99 % within ${milliseconds(worst)}.`,
      legend: [...PERCENTILES].reverse().map(
        ({ meaning, colour, key, width }) =>
          html`<li>
            <span class="stroke" style="border-color:${colour};border-width:${width}px 0 0"></span
            ><span>${key}<span class="muted">, ${meaning}</span></span>
          </li>`,
      ),
    },
    { kind: "lines", scale: "latency", series, numbered: false },
    intervals,
  );
}

interface Caption {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly label: string;
  readonly legend?: Html | readonly Html[];
  readonly tall?: boolean;
}

/** Draws the chart twice, wide and narrow: the style sheet shows the one that fits. */
function chart(
  { name, title: of, begin, end, marks, bands }: TrafficChart,
  { key, title, unit, label, legend, tall = false }: Caption,
  drawn: Pick<Plot, "kind" | "scale" | "numbered"> & { readonly series: readonly Series[] },
  intervals: readonly Interval[],
): Html {
  const last = intervals.at(-1)!;
  const plot: Plot = {
    ...drawn,
    seconds: (end - begin) / 1000,
    edges: [...intervals.map(({ at }) => at), last.at + last.seconds],
    marks,
    bands,
  };
  const wide: Size = { width: 928, height: tall ? 240 : 140 };
  const narrow: Size = { width: 400, height: tall ? 220 : 140 };
  const svg = (size: Size, variant: string): Html => new Html(draw(plot, size, `${name}-${key}-${variant}`));
  return html`<figure>
    <h3>${title}<small>${unit}</small></h3>
    <div role="img" aria-label="${of}: ${label}">
      <div class="wide">${svg(wide, "wide")}</div>
      <div class="narrow">${svg(narrow, "narrow")}</div>
    </div>
    ${
      legend !== undefined &&
      html`<ul class="legend">
        ${legend}
      </ul>`
    }
  </figure> `;
}

function sum(intervals: readonly Interval[], of: (point: TimelinePoint) => number): number {
  return intervals.reduce((all, { point }) => all + of(point), 0);
}
