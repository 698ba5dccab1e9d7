/**
 * npm run faults: injects every real fault of the matrix in each of its phases of a release on the local platform, under a
 * constant open-loop load, and reports whether each ended as documented. Exit code 0: all did; 1: not all.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release as kernel, totalmem } from "node:os";
import { Command } from "commander";
import { missing } from "../testbed/world";
import { ABILITIES, canUnshare, missingAbilities, ISOLATED } from "./abilities";
import { choose, MATRIX } from "./matrix";
import { merged } from "./results";
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
      "Inject real faults in every phase of a release, under load, and check that each ends as documented.",
    )
    .option("--only <names>", "rows or row@phase, with commas: kill-director,full-disk-web@shift")
    .option(
      "--json <file>",
      "write the results; with --only, merge them into an earlier run's file (`npx tsx development/faults/page.ts FILE` prints them for docs/reliability.md)",
    )
    .option("--list", "list the rows and what each needs of the machine");
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
  // Separate namespaces keep mounts and dropped packets from other processes, and end with this one.
  if (process.env[ISOLATED] === undefined && canUnshare()) return runIsolated();
  const before = options.only === undefined ? undefined : earlier(options.json);
  const results = await playAll(chosen, (soFar) => {
    if (options.json === undefined) return;
    writeFileSync(options.json, `${JSON.stringify(merged(before, soFar), null, 2)}\n`);
  });
  console.log(table(results));
  const all = results.rows.flatMap(({ outcomes }) => outcomes);
  return all.every(({ status }) => status !== "failed") ? 0 : 1;
}

/** The results of an earlier run in the same file: cases that are played again replace theirs. */
function earlier(file: string | undefined): FaultResults | undefined {
  return file === undefined || !existsSync(file)
    ? undefined
    : (JSON.parse(readFileSync(file, "utf8")) as FaultResults);
}

function runIsolated(): number {
  const namespaces = ["--net", "--mount", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
  const { status } = spawnSync(
    "unshare",
    [...namespaces, process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    {
      stdio: "inherit",
      env: { ...process.env, [ISOLATED]: "1" },
    },
  );
  return status ?? 1;
}

function list(): number {
  for (const { name, fault, phases, needs = [] } of MATRIX) {
    const requirements =
      needs.length === 0 ? "" : ` (needs ${needs.map((need) => ABILITIES[need]).join("; ")})`;
    console.log(`${name}: ${fault}, during ${Object.keys(phases).join(", ")}${requirements}`);
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

/** A project is used for one row after another until a row fails. */
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
    // Ends a load that still runs.
    process.exit(1);
  },
);
