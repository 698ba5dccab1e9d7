/**
 * Draws the charts of a report as SVG with Apache ECharts, so the report needs no script. `development/build/bundle.mjs`
 * bundles this file with the parts of ECharts that it uses, so the package does not depend on ECharts.
 *
 * A chart contains only numbers and constant text: ECharts escapes text, but not attributes.
 */
import { LineChart } from "echarts/charts";
import { GridComponent, MarkAreaComponent, MarkLineComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { offset } from "./format";

use([LineChart, GridComponent, MarkLineComponent, MarkAreaComponent, SVGRenderer]);

/** Times are seconds since the beginning of the chart. */
export interface Plot {
  readonly kind: "stack" | "lines";
  /** The end of the time axis. */
  readonly seconds: number;
  /** When each interval begins, and when the last one ends. */
  readonly edges: readonly number[];
  readonly series: readonly Series[];
  readonly scale: "perSecond" | "latency";
  /** Points in time, as vertical lines. */
  readonly marks: readonly Mark[];
  /** Consecutive intervals, as a background. */
  readonly bands: readonly Band[];
  /** Whether the numbers of marks and bands are above the chart. */
  readonly numbered: boolean;
}

export interface Series {
  readonly colour: string;
  /** One per interval; null if it has none. */
  readonly values: readonly (number | null)[];
  readonly width?: number;
}

export interface Mark {
  readonly number: number;
  readonly at: number;
  /** The verdict there was "fail". */
  readonly isBad: boolean;
}

export interface Band {
  readonly number: number;
  readonly from: number;
  readonly to: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const LEFT = 50;
const RIGHT = 10;
const TOP_NUMBERED = 24;
const TOP = 10;
const BOTTOM = 24;
const FONT = 12;
const LEAST_BETWEEN_NUMBERS = 19;
const LEAST_BETWEEN_TIMES = 62;

/** @param name unique in the document: the ids of clip paths begin with it. */
export function draw(plot: Plot, size: Size, name: string): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  try {
    chart.setOption({
      animation: false,
      // The page sets the font.
      textStyle: { fontFamily: "inherit", fontSize: FONT },
      grid: { left: LEFT, right: RIGHT, top: plot.numbered ? TOP_NUMBERED : TOP, bottom: BOTTOM },
      xAxis: timeAxis(plot.seconds, size.width - LEFT - RIGHT),
      yAxis: plot.scale === "latency" ? latencyAxis(plot) : rateAxis(),
      series: [backdrop(plot, size), ...plot.series.map((series) => line(plot, series))],
    });
    return standalone(chart.renderToSVGString(), name);
  } finally {
    chart.dispose();
  }
}

function line({ kind, edges }: Plot, { colour, values, width }: Series): object {
  // Each value is valid until the next interval begins, the last one until its end.
  const steps = [...values, values.at(-1) ?? null];
  return {
    type: "line",
    silent: true,
    step: "end",
    symbol: "none",
    data: edges.map((edge, index) => [edge, steps[index] ?? "-"]),
    ...(kind === "stack"
      ? {
          stack: "all",
          lineStyle: { width: 0.75, color: "var(--paper)" },
          areaStyle: { color: colour, opacity: 1 },
        }
      : { lineStyle: { width: width ?? 1.5, color: colour } }),
  };
}

/** A series without a line, for the bands and the marks. */
function backdrop({ kind, marks, bands, numbered, seconds }: Plot, { width }: Size): object {
  const pixels = (width - LEFT - RIGHT) / seconds;
  const label = { fontSize: 11, color: "var(--muted)", distance: 5 };
  return {
    type: "line",
    silent: true,
    data: [],
    lineStyle: { width: 0 },
    markArea: {
      silent: true,
      data: bands.map(({ number, from, to }) => [
        {
          xAxis: from,
          itemStyle: { color: number % 2 === 0 ? "transparent" : "var(--band)" },
          label: {
            ...label,
            position: "top",
            show: numbered && (to - from) * pixels >= LEAST_BETWEEN_NUMBERS * 0.7,
            formatter: String(number),
          },
        },
        { xAxis: to },
      ]),
    },
    markLine: {
      silent: true,
      symbol: "none",
      animation: false,
      data: grouped(marks, LEAST_BETWEEN_NUMBERS / pixels).flatMap((group) =>
        group.map(({ at, isBad }, index) => ({
          xAxis: at,
          lineStyle: {
            // On areas the page's colour is visible, elsewhere the text's.
            color: isBad ? "var(--bad)" : kind === "stack" ? "var(--paper)" : "var(--muted)",
            width: isBad ? 1.5 : 1,
            type: [3, 3],
          },
          label: {
            ...label,
            show: numbered && index === 0,
            position: "end",
            formatter:
              group.length === 1 ? `${group[0]!.number}` : `${group[0]!.number}\u2013${group.at(-1)!.number}`,
          },
        })),
      ),
    },
  };
}

/** Marks whose numbers would overlap get one label, "3–5", which needs the space of two. */
function grouped(marks: readonly Mark[], apart: number): Mark[][] {
  const groups: Mark[][] = [];
  for (const mark of marks) {
    const last = groups.at(-1);
    const room = last === undefined ? 0 : last.length > 1 ? apart * 1.8 : apart;
    if (last !== undefined && mark.at - last[0]!.at < room) last.push(mark);
    else groups.push([mark]);
  }
  return groups;
}

const LINES = { color: "var(--hairline)", width: 1 };
const LABEL = { color: "var(--muted)", fontSize: FONT };

function timeAxis(seconds: number, width: number): object {
  return {
    type: "value",
    min: 0,
    max: seconds,
    interval: niceInterval((seconds * LEAST_BETWEEN_TIMES) / width),
    splitLine: { show: false },
    axisLine: { show: true, onZero: false, lineStyle: LINES },
    axisTick: { show: true, length: 4, lineStyle: LINES },
    axisLabel: { ...LABEL, showMaxLabel: false, formatter: offset },
  };
}

/** At least this many seconds, rounded up to a usual unit of time. */
function niceInterval(least: number): number {
  const usual = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200];
  return usual.find((interval) => interval >= least) ?? 86_400 * Math.ceil(least / 86_400);
}

function rateAxis(): object {
  return {
    type: "value",
    min: 0,
    splitNumber: 3,
    minInterval: 1,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: LINES },
    axisLabel: { ...LABEL, formatter: (value: number) => value.toLocaleString("en-US") },
  };
}

/** Logarithmic: p99 is often 100 times the median, and both matter. */
function latencyAxis({ series }: Plot): object {
  const values = series.flatMap(({ values }) => values.filter((value) => value !== null && value > 0));
  const least = values.reduce((one: number, other) => Math.min(one, other!), Infinity) as number;
  const most = values.reduce((one: number, other) => Math.max(one, other!), 0) as number;
  const power = (value: number): number => Math.log10(value);
  return {
    type: "log",
    min: values.length === 0 ? 1 : 10 ** Math.floor(power(least)),
    max: values.length === 0 ? 100 : 10 ** Math.ceil(power(most * 1.0001)),
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: LINES },
    axisLabel: {
      ...LABEL,
      formatter: (value: number) => (value >= 1000 ? `${value / 1000} s` : `${value} ms`),
    },
  };
}

/** For use inside HTML: as wide as its container, with unique ids, without pointer events. */
function standalone(svg: string, name: string): string {
  return svg
    .replace(/^<svg width="\d+" height="\d+"/, "<svg")
    .replace(/<style\b[^]*?<\/style>/, "")
    .replace(/ (class|pointer-events|ecmeta_\w+|xmlns(:xlink)?|version|baseProfile)="[^"]*"/g, "")
    .replace(/(id="|url\(#)zr\d+-/g, `$1${name}-`)
    .replace(/\n+/g, "\n");
}
