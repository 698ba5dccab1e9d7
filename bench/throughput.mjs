/**
 * What our configurations cost a proxy: answers a second and latencies, against a plain configuration of the same binary
 * before the same instances. The proxy has a processor of its own and is its whole load; wrk and the instances share the
 * others. The two take turns.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { median, spread } from "./figures.mjs";
import { PATH, processesIn } from "./sites/place.mjs";

const SECONDS = 5;
const CONNECTIONS = 64;
const PROXY_PROCESSOR = "0";
const OTHER_PROCESSORS = "1";

/** @param both starts of the two sites, by "ours" and "plain" */
export async function measureThroughput(both, { rounds, say }) {
  const sites = {};
  try {
    for (const [name, start] of Object.entries(both)) sites[name] = await start();
    // Users have a bucket; while traffic is divided each request is looked at.
    for (const { folder, change, origin } of Object.values(sites)) {
      pin(folder, PROXY_PROCESSOR);
      await change({ live: "blue", share: 50 });
      await load(origin, 2);
    }
    const runs = { ours: [], plain: [] };
    for (let round = 0; round < rounds; round += 1) {
      for (const name of round % 2 === 0 ? ["ours", "plain"] : ["plain", "ours"]) {
        const before = processorMs(sites[name].folder);
        const run = await load(sites[name].origin, SECONDS);
        const microseconds = (1000 * (processorMs(sites[name].folder) - before)) / run.requests;
        runs[name].push({ ...run, microseconds });
      }
      const [ours, plain] = [runs.ours.at(-1), runs.plain.at(-1)];
      const told = ({ perSecond, microseconds }) => `${perSecond}/s, ${microseconds.toFixed(1)} µs each`;
      say(`ours ${told(ours)}; plain ${told(plain)}: ${(ours.perSecond / plain.perSecond).toFixed(3)}`);
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
  } finally {
    for (const site of Object.values(sites)) await site.close();
  }
}

function medians(runs) {
  const figures = ["perSecond", "p50Ms", "p99Ms", "microseconds"];
  return Object.fromEntries(figures.map((figure) => [figure, median(runs.map((run) => run[figure]))]));
}

/** A proxy with its workers; what it starts later is where its parent is. */
function pin(folder, processor) {
  for (const pid of processesIn(folder)) {
    spawnSync("taskset", ["--all-tasks", "--cpu-list", "--pid", processor, pid], { stdio: "ignore" });
  }
}

/** What a proxy with its workers took of processors so far. */
function processorMs(folder) {
  const ticks = processesIn(folder).map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return Number(fields[11]) + Number(fields[12]);
  });
  return 10 * ticks.reduce((sum, each) => sum + each, 0);
}

async function load(origin, seconds) {
  const args = [
    "-t1",
    `-c${CONNECTIONS}`,
    `-d${seconds}s`,
    "--latency",
    "-H",
    "Cookie: bluegreen-bucket=42",
    origin,
  ];
  const wrk = spawn("taskset", ["--cpu-list", OTHER_PROCESSORS, "wrk", ...args], {
    env: { ...process.env, PATH },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  wrk.stdout.setEncoding("utf8").on("data", (text) => (said += text));
  const [code] = await once(wrk, "close");
  if (code !== 0) throw new Error(`wrk ended with ${code}`);
  if (/Non-2xx|Socket errors/.test(said)) throw new Error(`wrk met errors: ${said}`);
  const latency = (at) => inMs(new RegExp(`^\\s+${at}%\\s+([\\d.]+)(us|ms|s)`, "m").exec(said));
  const [, perSecond] = /Requests\/sec:\s+([\d.]+)/.exec(said);
  const [, requests] = /(\d+) requests in /.exec(said);
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
