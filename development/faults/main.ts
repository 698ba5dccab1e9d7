/**
 * npm run faults: injects every fault of the matrix for real, in each fitting phase of a release on the local platform,
 * under a constant open-loop load, and says whether each ended as documented. Exit code 0: all did; 1: not all.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release as kernel, totalmem } from "node:os";
import { Command } from "commander";
import { missing } from "../testbed/world";
import { ABILITIES, canUnshare, missingAbilities, OWN_NAMESPACES } from "./abilities";
import { choose, MATRIX } from "./matrix";
import { together } from "./results";
import type { Outcome, PlayedRow, FaultResults } from "./results";
import { worldOf } from "./injection-points";
import type { InjectionPoint } from "./injection-points";
import { play, skipped } from "./play";
import type { Row } from "./row";
import type { WorldKind } from "./release-under-way";
import { Stage } from "./stage";
import { line, table } from "./table";

interface Options {
  readonly only?: string;
  readonly json?: string;
  readonly list?: boolean;
}

async function main(): Promise<number> {
  const program = new Command("faults")
    .description(
      "Break things for real in every phase of a release, under load, and see whether each ends as documented.",
    )
    .option("--only <names>", "rows or row@phase, with commas: kill-director,full-disk-web@shift")
    .option(
      "--json <file>",
      "write what was met; with --only, into what an earlier run wrote there (`npx tsx development/faults/page.ts FILE` makes docs/reliability.md of it)",
    )
    .option("--list", "name the rows, and what this machine lacks for them");
  program.parse();
  const options = program.opts<Options>();
  const lacking = missing();
  if (lacking !== undefined) {
    console.error(`${lacking}: install it, or \`npm run build\` first`);
    return 2;
  }
  const chosen = choose(options.only);
  if (typeof chosen === "string") {
    console.error(chosen);
    return 2;
  }
  if (options.list === true) return list();
  // Mounts and dropped packets are nobody else's business, and gone with these namespaces.
  if (process.env[OWN_NAMESPACES] === undefined && canUnshare()) return again();
  const before = options.only === undefined ? undefined : earlier(options.json);
  const results = await playAll(chosen, (soFar) => {
    if (options.json === undefined) return;
    writeFileSync(options.json, `${JSON.stringify(together(before, soFar), null, 2)}\n`);
  });
  console.log(table(results));
  const all = results.rows.flatMap(({ outcomes }) => outcomes);
  return all.every(({ status }) => status !== "failed") ? 0 : 1;
}

/** Cases that are played again take the place of what a run before wrote into the same file. */
function earlier(file: string | undefined): FaultResults | undefined {
  return file === undefined || !existsSync(file)
    ? undefined
    : (JSON.parse(readFileSync(file, "utf8")) as FaultResults);
}

function again(): number {
  const own = ["--net", "--mount", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
  const { status } = spawnSync(
    "unshare",
    [...own, process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    {
      stdio: "inherit",
      env: { ...process.env, [OWN_NAMESPACES]: "1" },
    },
  );
  return status ?? 1;
}

function list(): number {
  for (const { name, fault, phases, needs = [] } of MATRIX) {
    const words = needs.length === 0 ? "" : ` (needs ${needs.map((need) => ABILITIES[need]).join("; ")})`;
    console.log(`${name}: ${fault}, during ${Object.keys(phases).join(", ")}${words}`);
  }
  return 0;
}

async function playAll(
  chosen: readonly { row: Row; phases: readonly InjectionPoint[] }[],
  keep: (soFar: FaultResults) => void,
): Promise<FaultResults> {
  const startedAt = new Date().toISOString();
  const results = (): FaultResults => ({
    formatVersion: 1,
    command: ["npm run faults", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(
      " ",
    ),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${kernel()}`,
    startedAt,
    endedAt: new Date().toISOString(),
    rows,
  });
  const lacking = missingAbilities();
  const stages = new Stages();
  const rows: PlayedRow[] = [];
  for (const { row, phases } of chosen) {
    const outcomes: Outcome[] = [];
    for (const phase of phases) {
      const lacks = row.needs?.filter((need) => lacking.has(need)).map((need) => ABILITIES[need]) ?? [];
      const outcome =
        lacks.length > 0
          ? skipped(row, phase, `there is no ${lacks.join(", no ")}`)
          : await stages.play(row, phase);
      outcomes.push(outcome);
      console.log(line(row, outcome));
    }
    rows.push({ name: row.name, fault: row.fault, how: row.how, outcomes });
    keep(results());
  }
  for (const left of await stages.close()) console.log(`left running: ${left}`);
  return results();
}

/** A project serves one row after another for as long as they end well. */
class Stages {
  private readonly open = new Map<WorldKind, Stage>();
  private readonly left: string[] = [];

  async play(row: Row, phase: InjectionPoint): Promise<Outcome> {
    const kind = row.world ?? worldOf(phase);
    let stage: Stage;
    try {
      stage = this.open.get(kind) ?? (await Stage.open(kind));
    } catch (error) {
      return { ...skipped(row, phase, (error as Error).message), status: "failed" };
    }
    this.open.set(kind, stage);
    const outcome = await play(stage, row, phase);
    if (outcome.status === "failed") {
      this.open.delete(kind);
      if (process.env["BLUEGREEN_FAULTS_KEEP"] !== undefined) console.log(`kept: ${stage.world.folder}`);
      else this.left.push(...(await stage.close()));
    }
    return outcome;
  }

  async close(): Promise<string[]> {
    for (const stage of this.open.values()) this.left.push(...(await stage.close()));
    return this.left;
  }
}

main().then(
  (exitCode) => (process.exitCode = exitCode),
  (error: Error) => {
    console.error(error.message);
    // A load may still run, and ends with this process.
    process.exit(1);
  },
);
