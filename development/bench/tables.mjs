/** The figures as tables, for the terminal and for docs/. */
import { count, ms, seconds } from "./figures.mjs";
import { ENVIRONMENTS, SERVERS } from "./synth.mjs";

const times = (number) => `${number.toFixed(2)}x`;
const range = ({ median, low, high }, format = times) =>
  `${format(median)} (${format(low)} to ${format(high)})`;
const whole = (milliseconds) => `${Math.round(milliseconds)} ms`;
const megabytes = (number) => `${Math.round(number)} MB`;

const TABLES = {
  changes: (results) => ({
    title: "What 200 traffic changes cost users",
    head: [
      "proxy, and how its traffic is changed",
      "requests",
      "lost at rest",
      "lost during changes",
      "p99 at rest",
      "p99 during changes",
      "ratio (middle half of the pairs)",
      "slowest change",
    ],
    rows: Object.entries(results).map(([name, result]) => [
      name,
      count(result.sent),
      count(result.failedAtRest),
      count(result.failedDuringChanges),
      ms(result.p99AtRestMs),
      ms(result.p99DuringChangesMs),
      range(result.ratio),
      ms(result.slowestChangeMs),
    ]),
  }),
  throughput: (results) => ({
    title: "Throughput against plain configurations",
    head: ["proxy", "traffic", "ours", "plain", "throughput", "processor time a request", "p99"],
    rows: Object.entries(results).flatMap(([name, states]) =>
      Object.entries(states).map(([state, { ours, plain, throughputRatio, processorRatio, p99Ratio }]) => [
        name,
        state,
        `${count(ours.perSecond)}/s`,
        `${count(plain.perSecond)}/s`,
        range(throughputRatio),
        range(processorRatio),
        range(p99Ratio),
      ]),
    ),
  }),
  release: (results) => ({
    title: "The time of one release (medians)",
    head: [
      "way",
      "whole",
      "Terraform: init, plan, apply",
      "synth",
      "all but Terraform",
      "against Terraform alone",
    ],
    rows: [
      ["Terraform alone, in a shell", results.terraform, { ownMs: null, ratio: null }],
      ["`bluegreen release`", results.bluegreen, results.bluegreen],
      ["`cdktf deploy web`", results.cdktf, results.cdktf],
    ].map(([name, { wallMs, calls }, { ownMs, ratio }]) => [
      name,
      seconds(wallMs),
      ["init", "plan", "apply"]
        .map((call) => (calls[call] === undefined ? "-" : seconds(calls[call])))
        .join(", "),
      calls.synth === undefined ? "-" : seconds(calls.synth),
      ownMs === null ? "-" : range(ownMs, seconds),
      ratio === null ? "1" : range(ratio),
    ]),
  }),
  synth: ({ programs, ratioToEmpty }) => ({
    title: "Synth",
    head: ["app", "time", "processor time", "peak memory"],
    rows: [
      ["empty", "two empty stacks, cdktf alone"],
      ["ours", `base and web for Azure, as the command does it: ${range(ratioToEmpty.wall)} of empty`],
      ...SERVERS.map((number) => [`${number} servers`, `the same as a library, ${number} servers`]),
      ...ENVIRONMENTS.map((number) => [
        `${number} environments`,
        `as a library, ${number} environments in one app`,
      ]),
      ["index", "as a library, with the provider's index imported too"],
    ].map(([name, what]) => {
      const { wallMs, processorMs, megabytes: memory } = programs[name];
      return [what, whole(wallMs), whole(processorMs), megabytes(memory)];
    }),
  }),
  director: ({ kib, gzippedKib, byDriver }) => ({
    title: `The director: one file of ${kib.toFixed(0)} KiB, ${gzippedKib.toFixed(0)} KiB gzipped`,
    head: [
      "driver",
      "`status`, start to end",
      "more than an empty Node",
      "peak memory",
      "last new request on the old slot, after the change was asked for",
    ],
    rows: Object.entries(byDriver).map(
      ([name, { statusMs, moreThanNodeMs, megabytes: memory, lastOldRequestMs }]) => [
        name,
        range(statusMs, whole),
        range(moreThanNodeMs, whole),
        megabytes(memory.median),
        range(lastOldRequestMs, ms),
      ],
    ),
  }),
};

/** The tables of the measured parts, in the order of the page. */
export function tablesOf(results) {
  return Object.entries(TABLES).flatMap(([part, table]) =>
    results[part] === undefined ? [] : [{ part, ...table(results[part]) }],
  );
}

export function textOf({ title, head, rows }) {
  return `${title}\n\n${markdown(head, rows)}`;
}

function markdown(head, rows) {
  const width = (column) => Math.max(...[head, ...rows].map((row) => row[column].length));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(width(column))).join(" | ")} |`;
  return [line(head), line(head.map((_, column) => "-".repeat(width(column)))), ...rows.map(line)].join("\n");
}
