/**
 * What a synth of both Azure stacks costs, against two empty stacks of cdktf: the rest is ours. The two take turns, so
 * that a machine whose speed drifts slows both; what is compared is each pair.
 *
 *   npm run build && npm run bench:synth -- [--rounds 10] [--environment environments/azure-linux.json] [--check]
 *
 * With --check it ends with 1 where the synth takes more than 1.5 times as long or more than 120 MB.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const REPOSITORY = resolve(import.meta.dirname, "..");
const MAX_RATIO = 1.5;
const MAX_MEGABYTES = 120;

const EMPTY_STACKS = `
const { App, TerraformStack } = require("cdktf");
const app = new App();
for (const id of ["base", "web"]) new TerraformStack(app, id);
app.synth();
`;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    environment: { type: "string", default: "environments/azure-linux.json" },
    record: { type: "string", default: "__tests__/terraform/record.json" },
    check: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error(`--rounds ${values.rounds} is no number of rounds`);
if (!existsSync(join(REPOSITORY, "lib/main.js"))) throw new Error("lib/ is not built: npm run build");

const PROGRAMS = {
  empty: ["-e", EMPTY_STACKS],
  azure: [join(REPOSITORY, "lib/main.js")],
};

/** One process from its start to its end. */
async function measure(program) {
  const outdir = mkdtempSync(join(tmpdir(), "bluegreen-bench-"));
  const started = performance.now();
  const child = spawn(process.execPath, ["-r", join(REPOSITORY, "bench/report-usage.cjs"), ...program], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      BLUEGREEN_ENVIRONMENT: values.environment,
      BLUEGREEN_RECORD: values.record,
      CDKTF_OUTDIR: outdir,
    },
    stdio: ["ignore", "ignore", "inherit", "pipe"],
  });
  let reported = "";
  child.stdio[3].setEncoding("utf8").on("data", (text) => (reported += text));
  const code = await new Promise((ended) => child.on("close", ended));
  const wallMs = performance.now() - started;
  rmSync(outdir, { recursive: true });
  if (code !== 0) throw new Error(`${program.at(-1)} ended with ${code}`);
  const { userCPUTime, systemCPUTime, maxRSS } = JSON.parse(reported);
  return { wallMs, cpuMs: (userCPUTime + systemCPUTime) / 1000, megabytes: maxRSS / 1024 };
}

function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// What is read from disk for the first time is not what is measured.
for (const program of Object.values(PROGRAMS)) await measure(program);

const runs = { empty: [], azure: [] };
for (let round = 0; round < rounds; round += 1) {
  // Whoever goes first in one round goes second in the next.
  const order = round % 2 === 0 ? ["empty", "azure"] : ["azure", "empty"];
  for (const name of order) runs[name].push(await measure(PROGRAMS[name]));
}

const of = (name, figure) => median(runs[name].map((run) => run[figure]));
const ratio = (figure) => median(runs.azure.map((run, round) => run[figure] / runs.empty[round][figure]));
for (const name of Object.keys(runs)) {
  console.log(
    `${name.padEnd(5)}  ${of(name, "wallMs").toFixed(0)} ms, processor ${of(name, "cpuMs").toFixed(0)} ms, ` +
      `peak memory ${of(name, "megabytes").toFixed(0)} MB (medians of ${rounds})`,
  );
}
const megabytes = Math.max(...runs.azure.map((run) => run.megabytes));
console.log(
  `azure / empty: ${ratio("wallMs").toFixed(2)} of the time (limit ${MAX_RATIO}), ${ratio("cpuMs").toFixed(2)} of the ` +
    `processor; at most ${megabytes.toFixed(0)} MB (limit ${MAX_MEGABYTES})`,
);
if (values.check && (ratio("wallMs") > MAX_RATIO || megabytes > MAX_MEGABYTES)) {
  console.error("the synth costs too much");
  process.exitCode = 1;
}
