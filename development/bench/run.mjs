/**
 * All measurements, one after another: `npm run build && npm run bench`. Prints a table after each, and writes JSON on
 * request, from which `page.mjs` makes its section of docs/reliability.md. If a program is missing, its rows are skipped.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { resolve } from "node:path";
import { Argument, Command, Option } from "commander";
import { measureChanges } from "./changes.mjs";
import { measureDirector } from "./director.mjs";
import { measureReleases } from "./release-time.mjs";
import { startApache } from "./sites/apache.mjs";
import { startCaddy } from "./sites/caddy.mjs";
import { startOurs } from "./sites/ours.mjs";
import { isInstalled, PATH } from "./sites/place.mjs";
import { startPlainHaproxy } from "./sites/plain-haproxy.mjs";
import { startPlainNginx } from "./sites/plain-nginx.mjs";
import { measureSynth } from "./synth.mjs";
import { tablesOf, textOf } from "./tables.mjs";
import { measureThroughput } from "./throughput.mjs";

/** Our drivers should lose no request, which only a large number can show. */
const MANY_REQUESTS = 1_000_000;

const SITES = [
  { name: "haproxy, our driver", needs: "haproxy", start: () => startOurs("haproxy"), ours: true },
  { name: "nginx, our driver", needs: "nginx", start: () => startOurs("nginx"), ours: true },
  { name: "haproxy, set weight at run time", needs: "haproxy", start: () => startPlainHaproxy("runtime") },
  { name: "haproxy, reload", needs: "haproxy", start: () => startPlainHaproxy("reload") },
  { name: "nginx, reload", needs: "nginx", start: () => startPlainNginx() },
  { name: "caddy, config over its API", needs: "caddy", start: startCaddy },
  { name: "apache, balancer-manager", needs: "apache2", start: startApache },
];

const PARTS = {
  changes: async (rounds, keep) => {
    const results = only === undefined ? {} : { ...before.changes };
    for (const { name, needs, start, ours } of SITES) {
      if (!name.includes(only ?? "") || !has(needs, name)) continue;
      const site = await start();
      try {
        const requests = ours && !quick ? MANY_REQUESTS : 0;
        results[name] = await measureChanges(site, { pairs: rounds(5), requests, log: logger(name) });
        keep(results);
      } finally {
        await site.close();
      }
    }
    return results;
  },
  throughput: async (rounds, keep) => {
    const results = only === undefined ? {} : { ...before.throughput };
    const both = {
      haproxy: {
        ours: () => startOurs("haproxy", "nginx"),
        plain: () => startPlainHaproxy("reload", "nginx", true),
      },
      nginx: { ours: () => startOurs("nginx", "nginx"), plain: () => startPlainNginx("nginx") },
    };
    for (const [name, sites] of Object.entries(both)) {
      if (!name.includes(only ?? "")) continue;
      if (![name, "nginx", "wrk", "taskset"].every((program) => has(program, `throughput of ${name}`)))
        continue;
      results[name] = await measureThroughput(sites, { rounds: rounds(120), log: logger(name) });
      keep(results);
    }
    return results;
  },
  release: (rounds) => measureReleases({ rounds: rounds(7), log: logger("release") }),
  synth: (rounds) => measureSynth({ rounds: rounds(7), log: logger("synth") }),
  director: (rounds) =>
    measureDirector({
      rounds: rounds(20),
      drivers: ["haproxy", "nginx"].filter((driver) => has(driver, `the director with ${driver}`)),
      log: logger("director"),
    }),
};

const program = new Command("bench")
  .description(
    "Measure what bluegreen costs, and compare it with other tools. Needs a quiet machine, and `npm run build`.",
  )
  .addArgument(new Argument("[parts...]", "what to measure").choices(Object.keys(PARTS)))
  .addOption(
    new Option("--json <file>", "write the figures; parts in the file that are not measured now stay"),
  )
  .option(
    "--only <words>",
    "for changes and throughput, only proxies with these words in their names; the others in the file stay",
  )
  .option("--quick", "a few rounds each: to check that it runs, not for its figures")
  .parse();
const { quick = false, only, ...given } = program.opts();
// Sites change the working directory.
const json = given.json && resolve(given.json);
const parts = program.args.length > 0 ? program.args : Object.keys(PARTS);

const before = json === undefined ? {} : read(json);
const results = { ...before, machine: machine(), quick };
for (const part of parts) {
  keep(
    part,
    await PARTS[part](
      (usual) => (quick ? 2 : usual),
      (soFar) => keep(part, soFar),
    ),
  );
  for (const table of tablesOf({ [part]: results[part] })) console.log(`\n${textOf(table)}`);
}

/** Writes partial figures, so that a failure loses nothing of a part that takes many minutes. */
function keep(part, figures) {
  results[part] = figures;
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
}

function logger(name) {
  return (text) => console.error(`${name}: ${text}`);
}

function has(needed, what) {
  if (isInstalled(needed)) return true;
  console.error(`SKIPPED: ${what}: ${needed} is not installed`);
  return false;
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
}

function machine() {
  const line = (name, ...args) => {
    const { stdout, stderr } = spawnSync(name, args, { encoding: "utf8", env: { ...process.env, PATH } });
    return (stdout || stderr || "not installed").split("\n")[0].trim();
  };
  return {
    date: new Date().toISOString().slice(0, 10),
    processors: `${cpus().length} x ${cpus()[0].model}`,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    terraform: line("terraform", "version"),
    haproxy: line("haproxy", "-v").replace(/ \d{4}.*/, ""),
    nginx: line("nginx", "-v").replace("nginx version: ", ""),
    caddy: line("caddy", "version"),
    apache: line("apache2", "-v").replace("Server version: ", ""),
  };
}
