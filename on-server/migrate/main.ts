/**
 * migrate run|plan|resolve --folder <folder> [--spec <base64 JSON>]
 *
 * Runs on the operations server (locally: as a process), started by a Terraform step between begin and the installs.
 * One line of JSON on stdout says how it ended, the exit code says it to Terraform. The step's spec stays in the
 * folder, so that a person there needs none.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve as absolute } from "node:path";
import { parseArgs } from "node:util";
import * as z from "zod/mini";
import { MigrateSpec } from "../../release/migrations/migrate-spec";
import { InvalidInput } from "../../release/refusal";
import { quote, ScriptName } from "../../release/release";
import { describeIssues, inOneLine } from "../../release/validation";
import { writeAtomically } from "../../system/atomic-file";
import { fetchBundle } from "./bundle";
import { connect } from "./databases/connect";
import { ScriptFailed } from "./databases/database";
import { EXIT, MigrationRefused, ScriptRefused } from "./exit-code";
import type { ExitCode } from "./exit-code";
import { applyAll, checkBundle, planMigration } from "./migrate";

const SPEC_FILE = "migrate-spec";
const USAGE = `migrate run|plan|resolve --folder <folder>

  run      apply what is pending, in order
  plan     say what would run, and change nothing
  resolve  <script> --as applied|pending
           say what became of a script without a transaction that did not come to its end

  --folder <folder>   where the last step left its spec
  --spec <base64>     the spec itself
  --as <outcome>      applied: its work is done; pending: it is undone and runs again

Exit codes: 0 done, 1 unexpected, 2 bad input, 3 refused (nothing was changed), 4 a script failed (traffic untouched)`;

interface Arguments {
  readonly command: "run" | "plan" | "resolve";
  readonly folder: string;
  readonly spec: MigrateSpec;
  readonly script: string;
  readonly as: "applied" | "pending";
}

async function main(): Promise<ExitCode> {
  const given = readArguments();
  if (given === null) return EXIT.done;
  const { command, folder, spec } = given;
  const identity = spec.database.kind === "file" ? null : spec.database.identity;
  const database = await connect(spec.database);
  try {
    if (command === "resolve") return await resolve(given, database);
    const scripts = await fetchBundle(spec.bundle, identity);
    checkBundle(scripts, { newest: spec.bundle.newest, contracts: spec.contracts }, database.dialect);
    const wanted = {
      scripts,
      contracted: spec.contracted,
      releaseId: spec.releaseId,
      resolveCommand: (script: string) =>
        `node ${join(folder, "migrate.js")} resolve ${script} --as applied (or pending) --folder ${folder}`,
    };
    if (command === "plan") {
      const { pending, waiting, ahead } = planMigration(wanted, await database.journal());
      tell({ outcome: "planned", pending: pending.map(({ name }) => name), waiting, ahead });
      return EXIT.done;
    }
    await lock(database, spec.waitSeconds);
    await database.prepareJournal();
    const { pending, waiting, ahead } = planMigration(wanted, await database.journal());
    const applied = await applyAll(database, pending, spec.releaseId, say);
    tell({ outcome: applied.length === 0 ? "unchanged" : "migrated", applied, waiting, ahead });
    return EXIT.done;
  } finally {
    await database.close();
  }
}

type Connected = Awaited<ReturnType<typeof connect>>;

async function resolve({ script, as, spec }: Arguments, database: Connected): Promise<ExitCode> {
  await lock(database, spec.waitSeconds);
  if (!(await database.resolve(script, as))) {
    throw new MigrationRefused(`${script} is not left running in the journal: there is nothing to resolve`);
  }
  tell({ outcome: "resolved", script, as });
  return EXIT.done;
}

async function lock(database: Connected, waitSeconds: number): Promise<void> {
  if (await database.lock(1)) return;
  say("another migration of this database runs: waiting for its end");
  if (await database.lock(waitSeconds)) return;
  throw new MigrationRefused(
    `another migration still runs after ${waitSeconds} s: try again when it is over`,
  );
}

function readArguments(): Arguments | null {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        spec: { type: "string" },
        folder: { type: "string", default: "." },
        as: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new InvalidInput(`${(error as Error).message}; see --help`);
  }
  const { values, positionals } = parsed;
  if (values.help === true) {
    console.log(USAGE);
    return null;
  }
  const [command, script = "", ...rest] = positionals;
  if (rest.length > 0 || (command !== "run" && command !== "plan" && command !== "resolve")) {
    throw new InvalidInput(`run, plan or resolve is wanted, not ${quote(positionals.join(" "))}; see --help`);
  }
  const { as } = values;
  if (
    command === "resolve" &&
    ((as !== "applied" && as !== "pending") || !ScriptName.safeParse(script).success)
  ) {
    throw new InvalidInput("resolve wants a script's name and --as applied or --as pending");
  }
  const folder = absolute(values.folder);
  const file = join(folder, SPEC_FILE);
  if (values.spec !== undefined) {
    const spec = readSpec(values.spec);
    mkdirSync(folder, { recursive: true });
    if (command === "run") writeAtomically(file, values.spec);
    return { command, folder, spec, script, as: as as Arguments["as"] };
  }
  try {
    return { command, folder, spec: readSpec(readFileSync(file, "utf8")), script, as: as as Arguments["as"] };
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    throw new InvalidInput(`${file} can't be read: no migration ran there yet`);
  }
}

function readSpec(text: string): MigrateSpec {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
  } catch {
    throw new InvalidInput("the spec is no base64 JSON");
  }
  const parsed = z.safeParse(MigrateSpec, json);
  if (!parsed.success) throw new InvalidInput(`the spec: ${describeIssues(parsed.error)}`);
  return parsed.data;
}

function say(line: string): void {
  process.stderr.write(`migrate: ${line}\n`);
}

function tell(result: object): void {
  console.log(JSON.stringify(result));
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof InvalidInput || error instanceof ScriptRefused) return EXIT.badInput;
  if (error instanceof MigrationRefused) return EXIT.refused;
  return error instanceof ScriptFailed ? EXIT.failed : EXIT.unexpected;
}

main().then(
  (exitCode) => (process.exitCode = exitCode),
  (error: unknown) => {
    const said = error instanceof Error ? error.message || error.name : String(error);
    const message = inOneLine(said.replace(/\s+/g, " "));
    const exitCode = exitCodeOf(error);
    say(message);
    tell({ outcome: exitCode === EXIT.failed ? "failed" : "refused", exitCode, reason: message });
    process.exitCode = exitCode;
  },
);
