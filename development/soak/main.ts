/**
 * npm run soak -- [--releases 50] [--seed N] [--rate 80] [--driver haproxy] [--json FILE] [--markdown FILE]
 *
 * Runs many sequences in a row on the local platform, of random kinds, under a constant load; then checks for leaks:
 * processes, ports, files, memory, Terraform's deposed objects, disk.
 */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Load } from "../../cli/load/load";
import type { LoadTotals } from "../../cli/load/messages";
import { socialGoalPlan } from "../../cli/load/socialgoal-plan";
import type { World } from "../testbed/world";
import { complaintsAfter, growing, KEPT_RELEASES, SERVERS, trendsOf } from "./checks";
import { footprintOf } from "./footprint";
import type { Footprint } from "./footprint";
import { nextKind, randomFrom } from "./plan";
import { documentOf, lineOf, tableOf } from "./results";
import type { SoakResults, Sequence } from "./results";
import { Operator } from "./sequences";

const USAGE = `Run many sequences in a row under load, and check for leaks.

  npm run soak -- [options]

  --releases N      number of sequences (default: 50)
  --seed N          repeat the sequences of an earlier soak (default: random, and printed)
  --rate N          requests a second (default: 80)
  --driver NAME     haproxy, nginx or embedded (default: haproxy)
  --json FILE       write the results
  --markdown FILE   write the section for docs/reliability.md
  --from FILE       run nothing: print the results in an earlier soak's --json file
  --help            print this text`;

const { values } = parseArgs({
  options: {
    releases: { type: "string", default: "50" },
    seed: { type: "string" },
    rate: { type: "string", default: "80" },
    driver: { type: "string", default: "haproxy" },
    json: { type: "string" },
    from: { type: "string" },
    markdown: { type: "string" },
    help: { type: "boolean" },
  },
});

const ENVIRONMENT = "local";
/** The machine may be busy, so only errors, not latency, fail a candidate. */
const ANALYSIS = { intervalSeconds: 0.5, latencySlackMs: 60_000 };

async function main(): Promise<number> {
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const [releases, rate] = [values.releases, values.rate].map(Number) as [number, number];
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed);
  if (![releases, rate, seed].every((number) => Number.isInteger(number) && number >= 0) || releases < 1) {
    console.error("--releases, --rate and --seed are whole numbers; see --help");
    return 2;
  }
  const results =
    values.from === undefined
      ? await soak({ releases, rate, seed, driver: values.driver })
      : judged(JSON.parse(readFileSync(values.from, "utf8")) as SoakResults);
  console.log(tableOf(results));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  if (values.markdown !== undefined) writeFileSync(values.markdown, documentOf(results));
  return results.passed ? 0 : 1;
}

interface Wanted {
  readonly releases: number;
  readonly rate: number;
  readonly seed: number;
  readonly driver: string;
}

async function soak(wanted: Wanted): Promise<SoakResults> {
  const { releases, rate, seed, driver } = wanted;
  console.log(`${releases} sequences with ${driver} under ${rate} requests/s; repeat with --seed ${seed}`);
  // A separate folder, to find files that this soak leaves behind.
  const temporaryFolder = mkdtempSync(join(realpathSync(tmpdir()), "soak-"));
  process.env["TMPDIR"] = temporaryFolder;
  const { World } = await import("../testbed/world.js");
  const world = await World.create({
    environment: {
      proxies: { driver, count: 1 },
      servers: { count: SERVERS },
      keepReleases: KEPT_RELEASES,
      schedule: {
        strategy: "blueGreen",
        bakeSeconds: 0.5,
        drainSeconds: 3,
        analysis: ANALYSIS,
      },
      measurement: { rate: 0 },
    },
  });
  world.changeEnvironment({ platform: { kind: "local", database: "postgres", portBase: world.portBase } });
  const load = new Load({ workerEntry: join(process.cwd(), "lib/cli/load/worker.js"), execArgv: [] });
  const startedAt = new Date().toISOString();
  let isDown = false;
  try {
    const sequences = await playAll(world, load, wanted, temporaryFolder);
    const totals = await load.stop();
    isDown = true;
    const left = (await world.end()).map((each) => `after \`bluegreen down\`: ${each}`);
    return judged({
      formatVersion: 1,
      seed,
      driver,
      rate,
      startedAt,
      endedAt: new Date().toISOString(),
      sequences,
      totals: totalsOf(totals),
      left: [...missingRows(totals), ...left],
    });
  } finally {
    await load.kill();
    if (!isDown) await world.end();
    rmSync(temporaryFolder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Pure, so that the results of an earlier soak can be judged again. */
function judged(figures: Omit<SoakResults, "trends" | "complaints" | "passed">): SoakResults {
  const { sequences, left = [] } = figures;
  const trends = trendsOf(sequences.map(({ footprint }) => footprint));
  const complaints = [
    ...sequences.flatMap(({ number, complaints: all }) => all.map((each) => `${number}: ${each}`)),
    ...growing(trends),
    ...left,
  ];
  return { ...figures, trends, complaints, passed: complaints.length === 0 };
}

async function playAll(
  world: World,
  load: Load,
  { releases, rate, seed }: Wanted,
  temporaryFolder: string,
): Promise<Sequence[]> {
  const random = randomFrom(seed);
  const operator = new Operator(world, random);
  const sequences: Sequence[] = [];
  let isInterrupted = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => (isInterrupted = true));
  // Ctrl-C ends the soak after the running sequence; it still takes everything down and reports.
  for (let number = 1; number <= releases && !isInterrupted; number++) {
    const kind = nextKind(random, (each) => operator.isPossible(each));
    const isFirst = number === 1;
    if (!isFirst) await load.beginStep(`${number} ${kind}`);
    const beganAt = performance.now();
    const played = await operator.play(kind);
    const seconds = (performance.now() - beganAt) / 1000;
    const requests = isFirst ? null : await load.endStep();
    const footprint = measure(world, temporaryFolder);
    const seen = {
      record: world.record,
      statuses: await world.status(),
      serving: await world.serving(),
      requests,
      footprint,
      ports: [0, 90, 100, 101, 110, 111].map((offset) => world.portBase + offset),
    };
    const complaints = complaintsAfter(played, seen);
    const { sent = 0, failed = 0 } = requests ?? {};
    const sequence = { number, played, seconds, sent, failed, footprint, complaints };
    sequences.push(sequence);
    console.log(lineOf(sequence));
    if (isFirst) await load.start(socialGoalPlan(world.origin(), rate));
  }
  return sequences;
}

function measure(world: World, temporaryFolder: string): Footprint {
  return footprintOf({
    folder: world.path(`.bluegreen/${ENVIRONMENT}`),
    portBase: world.portBase,
    temporaryFolder,
    project: world.folder,
    deposed: world.deposed().length,
  });
}

function missingRows({ acknowledged, found, missing }: LoadTotals): string[] {
  return found === acknowledged
    ? []
    : [`${acknowledged - found} acknowledged rows are missing: ${missing.join(", ")}`];
}

function totalsOf(totals: LoadTotals): SoakResults["totals"] {
  const { sent, failed, failures, acknowledged, found, longestGapMs, latencyMs } = totals;
  const { p50, p95, p99 } = latencyMs;
  return { sent, failed, failures, acknowledged, found, longestGapMs, latencyMs: { p50, p95, p99 } };
}

main().then(
  (exitCode) => (process.exitCode = exitCode),
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
