/** The drawings: what stands where, and that numbers do not lie on each other. */
import { draw } from "../../../cli/report/charts";
import type { Plot } from "../../../cli/report/charts";

const SIZE = { width: 460, height: 200 };

const plotOf = (changes: Partial<Plot> = {}): Plot => ({
  kind: "stack",
  scale: "perSecond",
  seconds: 40,
  edges: [0, 10, 20, 30],
  series: [
    { colour: "var(--blue-1)", values: [90, 45, 0] },
    { colour: "var(--green-1)", values: [0, 45, 90] },
  ],
  marks: [],
  bands: [],
  numbered: true,
  ...changes,
});

const marksAt = (...times: number[]): Plot["marks"] =>
  times.map((at, index) => ({ number: index + 1, at, isBad: false }));

const numbersAbove = (svg: string): string[] =>
  [...svg.matchAll(/font-size:11px[^>]*>([^<]*)</g)].map(([, text]) => text!);

test("areas lie on each other: where both have a half, the second's top is the sum", () => {
  const svg = draw(plotOf(), SIZE, "one");
  const areas = [...svg.matchAll(/<path d="([^"]*)" fill="var\(--(?:blue|green)-1\)"/g)].map(
    ([, path]) => path!,
  );
  expect(areas).toHaveLength(2);
  // 400 pixels for 40 seconds from x = 50 on; 90 a second at the top, y = 24, none at y = 176.
  const green = areas[1]!
    .split("L")
    .map((point) => point.split(" ").map((part) => parseFloat(part.replace("M", ""))));
  expect(green.filter(([x]) => x === 250).map(([, y]) => y)).toEqual(expect.arrayContaining([24, 100]));
  expect(green[0]).toEqual([50, 24]);
});

test("a number stands above each mark", () => {
  expect(numbersAbove(draw(plotOf({ marks: marksAt(5, 15, 25) }), SIZE, "one"))).toEqual(["1", "2", "3"]);
});

test("marks that are too near to each other share a number", () => {
  expect(numbersAbove(draw(plotOf({ marks: marksAt(5, 5.2, 5.4, 25) }), SIZE, "one"))).toEqual(["1–3", "4"]);
});

test("a band that is too narrow has no number", () => {
  const bands = [
    { number: 1, from: 0, to: 10 },
    { number: 2, from: 10, to: 10.5 },
    { number: 3, from: 12, to: 40 },
  ];
  expect(numbersAbove(draw(plotOf({ bands }), SIZE, "one"))).toEqual(["1", "3"]);
});

test("latencies are on a logarithmic scale, and seconds without an answer are left open", () => {
  const series = [{ colour: "var(--ink)", values: [2, null, 2_000] }];
  const svg = draw(plotOf({ kind: "lines", scale: "latency", series }), SIZE, "one");
  for (const label of ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]) expect(svg).toContain(`>${label}</text>`);
  const line = /<path d="([^"]*)" fill="none" stroke="var\(--ink\)"/.exec(svg)![1]!;
  expect(line.match(/M/g)!.length).toBeGreaterThan(1);
});

test("nothing but zeros is a chart too", () => {
  const series = [{ colour: "var(--ink)", values: [null, null, null] }];
  expect(draw(plotOf({ kind: "lines", scale: "latency", series }), SIZE, "one")).toContain("<svg");
});

test.each([0.5, 60, 3_600, 10 * 86_400])("a time axis of %s seconds has a few labels", (seconds) => {
  const svg = draw(plotOf({ seconds, edges: [0, seconds / 3, seconds / 2, seconds] }), SIZE, "one");
  const labels = [...svg.matchAll(/>(\d+:[\d:]+)<\/text>/g)].map(([, text]) => text);
  expect(labels.length).toBeGreaterThanOrEqual(1);
  expect(labels.length).toBeLessThanOrEqual(8);
});
