/**
 * What a synth costs: two empty stacks of cdktf; our two stacks for Azure as the command synthesizes them; with increasing
 * numbers of servers, and of environments in one app; and with the provider's index, which we never import. Each is a whole
 * process; they take turns.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, spread } from "./figures.mjs";
import { REPOSITORY } from "./sites/place.mjs";

const ENVIRONMENT = "environments/azure-linux.json";
const RECORD = "__tests__/terraform/record.json";
export const SERVERS = [2, 20, 100, 200];
export const ENVIRONMENTS = [1, 10, 100];

const EMPTY_STACKS = `
const { App, TerraformStack } = require("cdktf");
const app = new App();
for (const id of ["base", "web"]) new TerraformStack(app, id);
app.synth();
`;

const MANY = (environments, servers, before = "") => `
${before}
const lib = (file) => require(${JSON.stringify(join(REPOSITORY, "lib"))} + "/" + file);
const { readFileSync } = require("node:fs");
const { App } = require("cdktf");
const { BaseStack } = lib("stacks/base-stack.js");
const { WebStack } = lib("stacks/web-stack.js");
const { parseEnvironment } = lib("configuration/environment-file.js");
const { parseRecord } = lib("release/record.js");
const given = JSON.parse(readFileSync(${JSON.stringify(ENVIRONMENT)}, "utf8"));
const record = parseRecord(readFileSync(${JSON.stringify(RECORD)}, "utf8"), "record");
const app = new App();
for (let number = 1; number <= ${environments}; number += 1) {
  const file = { ...given, name: "e" + number, servers: { count: ${servers} } };
  const environment = parseEnvironment(JSON.stringify(file), "environment");
  new BaseStack(app, "base-" + number, { environment });
  new WebStack(app, "web-" + number, { environment, record });
}
app.synth();
`;

const PROGRAMS = {
  empty: ["-e", EMPTY_STACKS],
  ours: [join(REPOSITORY, "lib/main.js")],
  index: ["-e", MANY(1, 2, `require("@cdktf/provider-azurerm");`)],
  ...Object.fromEntries(SERVERS.map((count) => [`${count} servers`, ["-e", MANY(1, count)]])),
  ...Object.fromEntries(ENVIRONMENTS.map((count) => [`${count} environments`, ["-e", MANY(count, 2)]])),
};

export async function measureSynth({ rounds, log }) {
  // Warms up the disk cache.
  for (const name of ["empty", "ours", "index"]) await measure(PROGRAMS[name]);
  const runs = Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const names = Object.keys(PROGRAMS);
    // The order alternates.
    for (const name of round % 2 === 0 ? names : names.reverse())
      runs[name].push(await measure(PROGRAMS[name]));
    log(`round ${round + 1} of ${rounds}: ours ${Math.round(runs.ours.at(-1).wallMs)} ms`);
  }
  const ratio = (figure) => spread(runs.ours.map((run, round) => run[figure] / runs.empty[round][figure]));
  return {
    rounds,
    ratioToEmpty: { wall: ratio("wallMs"), processor: ratio("processorMs") },
    programs: Object.fromEntries(
      Object.entries(runs).map(([name, all]) => [
        name,
        Object.fromEntries(
          ["wallMs", "processorMs", "megabytes"].map((figure) => [
            figure,
            median(all.map((run) => run[figure])),
          ]),
        ),
      ]),
    ),
  };
}

/** Measures one whole process. */
async function measure(program) {
  const outdir = mkdtempSync(join(tmpdir(), "bluegreen-bench-"));
  const started = performance.now();
  const child = spawn(
    process.execPath,
    ["-r", join(REPOSITORY, "development/bench/report-usage.cjs"), ...program],
    {
      cwd: REPOSITORY,
      env: {
        ...process.env,
        BLUEGREEN_ENVIRONMENT: ENVIRONMENT,
        BLUEGREEN_RECORD: RECORD,
        CDKTF_OUTDIR: outdir,
      },
      stdio: ["ignore", "ignore", "inherit", "pipe"],
    },
  );
  let reported = "";
  child.stdio[3].setEncoding("utf8").on("data", (text) => (reported += text));
  const code = await new Promise((ended) => child.on("close", ended));
  const wallMs = performance.now() - started;
  rmSync(outdir, { recursive: true });
  if (code !== 0) throw new Error(`${program.at(-1)} ended with ${code}`);
  const { userCPUTime, systemCPUTime, maxRSS } = JSON.parse(reported);
  return { wallMs, processorMs: (userCPUTime + systemCPUTime) / 1000, megabytes: maxRSS / 1024 };
}
