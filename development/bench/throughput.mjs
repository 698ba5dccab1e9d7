/**
 * What our configurations cost a proxy: answers a second and latencies, against a plain configuration of the same binary
 * with the same instances and the same headers to them. The proxy has one processor alone; wrk and the instances share the
 * others. The two configurations take turns.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { median, spread } from "./figures.mjs";
import { PATH, processesIn } from "./sites/place.mjs";

const BUCKETS = join(import.meta.dirname, "buckets.lua");
const SECONDS = 1;
const CONNECTIONS = 64;
const PROXY_PROCESSOR = "0";
const OTHER_PROCESSORS = "1";
/** Until our driver has chosen its sample of latencies: one and a half intervals of the analysis. */
const WARM_UP_SECONDS = 8;
/** Time for the old workers of a plain proxy to end. */
const RELOAD_MS = 2_000;

/** Between releases, and during one. */
export const STATES = { "at rest": { live: "blue", weight: 0 }, divided: { live: "blue", weight: 50 } };

/**
 * @param both starts of the two sites, by "ours" and "plain"
 * @returns figures by state
 */
export async function measureThroughput(both, { rounds, log, states = STATES }) {
  const sites = {};
  const results = {};
  try {
    // A proxy starts as many threads or workers as it may use processors.
    pin([process.pid], PROXY_PROCESSOR);
    for (const [name, start] of Object.entries(both)) {
      sites[name] = await start();
      pin(processesIn(sites[name].pages), OTHER_PROCESSORS);
    }
    pin([process.pid], OTHER_PROCESSORS);
    for (const [state, traffic] of Object.entries(states)) {
      for (const { change, origin } of Object.values(sites)) {
        await change(traffic);
        await sleep(RELOAD_MS);
        await load(origin, WARM_UP_SECONDS);
      }
      results[state] = await compare(sites, { rounds, log: (text) => log(`${state}: ${text}`) });
    }
    return results;
  } finally {
    pin([process.pid], [PROXY_PROCESSOR, OTHER_PROCESSORS].join(","));
    for (const site of Object.values(sites)) await site.close();
  }
}

async function compare(sites, { rounds, log }) {
  const runs = { ours: [], plain: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? ["ours", "plain"] : ["plain", "ours"]) {
      const before = processorMs(sites[name].folder);
      const run = await load(sites[name].origin, SECONDS);
      const microseconds = (1000 * (processorMs(sites[name].folder) - before)) / run.requests;
      runs[name].push({ ...run, microseconds });
    }
    const [ours, plain] = [runs.ours.at(-1), runs.plain.at(-1)];
    const text = ({ perSecond, microseconds }) => `${perSecond}/s, ${microseconds.toFixed(1)} µs each`;
    log(`ours ${text(ours)}; plain ${text(plain)}: ${(ours.perSecond / plain.perSecond).toFixed(3)}`);
  }
  const ratios = (figure) => spread(runs.ours.map((run, round) => run[figure] / runs.plain[round][figure]));
  return {
    rounds,
    throughputRatio: ratios("perSecond"),
    p99Ratio: ratios("p99Ms"),
    processorRatio: ratios("microseconds"),
    ours: medians(runs.ours),
    plain: medians(runs.plain),
  };
}

function medians(runs) {
  const figures = ["perSecond", "p50Ms", "p99Ms", "microseconds"];
  return Object.fromEntries(figures.map((figure) => [figure, median(runs.map((run) => run[figure]))]));
}

/** Pins all threads; children inherit it. */
function pin(pids, processors) {
  for (const pid of pids) {
    spawnSync("taskset", ["--all-tasks", "--cpu-list", "--pid", processors, pid], { stdio: "ignore" });
  }
}

/** The processor time of a proxy with its workers so far. */
function processorMs(folder) {
  const ticks = processesIn(folder).map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return Number(fields[11]) + Number(fields[12]);
  });
  return 10 * ticks.reduce((sum, each) => sum + each, 0);
}

async function load(origin, seconds) {
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--latency", "-s", BUCKETS, origin];
  const wrk = spawn("wrk", args, {
    env: { ...process.env, PATH },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  wrk.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = await once(wrk, "close");
  if (code !== 0) throw new Error(`wrk ended with ${code}`);
  if (/Non-2xx|Socket errors/.test(output)) throw new Error(`wrk met errors: ${output}`);
  const latency = (at) => inMs(new RegExp(`^\\s+${at}%\\s+([\\d.]+)(us|ms|s)`, "m").exec(output));
  const [, perSecond] = /Requests\/sec:\s+([\d.]+)/.exec(output);
  const [, requests] = /(\d+) requests in /.exec(output);
  return {
    perSecond: Math.round(Number(perSecond)),
    requests: Number(requests),
    p50Ms: latency(50),
    p99Ms: latency(99),
  };
}

function inMs([, number, unit]) {
  return Number(number) * { us: 0.001, ms: 1, s: 1000 }[unit];
}
