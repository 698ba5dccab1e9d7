/**
 * migrate run|plan|status|resolve --folder <folder> [--spec <base64 JSON>]
 *
 * Runs on the operations server (locally: as a process), started by a Terraform step between begin and the installs.
 * The result is one line of JSON on stdout, and for Terraform the exit code. The step's spec stays in the folder, so that
 * you can run the commands there without it.
 */
import { join } from "node:path";
/** For the example, whose artifact with SQL Server has this program as its driver: the package has it once. */
export { Connection, Request, TYPES } from "tedious";
import { EXIT } from "../../release/exit-code";
import type { ExitCode } from "../../release/exit-code";
import type { MigrateSpec } from "../../release/migrate-spec";
import { failureCodeOf } from "../../release/failure";
import { inOneLine } from "../../release/text";
import { runProgram, printResult } from "../result";
import { readArguments, USAGE } from "./arguments";
import type { Arguments } from "./arguments";
import { patiently } from "./attempts";
import { fetchBundle } from "./bundle";
import { CREATE_DATABASE, createDatabase } from "./create-database";
import { connect } from "./databases/connect";
import { LoginRefused, ScriptFailed, SessionLost } from "./databases/database";
import type { Database } from "./databases/database";
import { errorText } from "./databases/error-text";
import { OutOfReach } from "./identity";
import { checkBundle, lock, migrate, nothingBegun, planMigration, ScriptRunning } from "./migrate";
import type { Wanted } from "./migrate";
import { remember, seenComplete } from "./remembered";
import { printShortened } from "./result-line";
import { statusOf } from "./status";
import { MigrationRefused } from "./refusals";

async function main(): Promise<ExitCode> {
  const [word, ...args] = process.argv.slice(2);
  if (word === CREATE_DATABASE) {
    await printResult(await createDatabase(args));
    return EXIT.done;
  }
  const given = readArguments();
  if (given === null) {
    await printResult(USAGE);
    return EXIT.done;
  }
  switch (given.command) {
    case "run":
      return run(given);
    case "plan":
      return withDatabase(given, async (database) => {
        const { pending, waiting, ahead } = planMigration(await wanted(given), await database.journal());
        return { outcome: "planned", pending: pending.map(({ name }) => name), waiting, ahead };
      });
    case "status":
      return withDatabase(given, async (database) => statusOf(await wanted(given), await database.journal()));
    case "resolve":
      return withDatabase(given, (database) => resolve(given, database));
  }
}

async function withDatabase(
  { spec }: Arguments,
  work: (database: Database) => Promise<object>,
): Promise<ExitCode> {
  const database = await connect(spec.database, say);
  try {
    await printResult(await work(database));
    return EXIT.done;
  } finally {
    await database.close();
  }
}

async function run(given: Arguments): Promise<ExitCode> {
  const { folder, spec } = given;
  // A resolution always has to reach the journal.
  const known = spec.resolve === undefined ? seenComplete(folder, spec) : null;
  const begun = nothingBegun();
  try {
    const request = await wanted(given);
    const resolved = new Set<string>();
    let unresolved = spec.resolve ?? [];
    const { applied, adopted, waiting, ahead, running } = await patiently(
      async () => {
        const database = await connect(spec.database, say);
        try {
          checkBundle(
            request.scripts,
            { newest: spec.bundle.newest, contracts: spec.contracts },
            database.dialect,
          );
          // Once: the resolution does not hold for a script that is interrupted again.
          for (const script of await resolveAll(unresolved, spec.waitSeconds, database)) resolved.add(script);
          unresolved = [];
          return await migrate(database, request, { waitSeconds: spec.waitSeconds, say }, begun);
        } finally {
          await database.close();
        }
      },
      { say, isShort: known !== null },
    );
    remember(folder, spec, new Date());
    const outcome = applied.length + adopted.length + resolved.size === 0 ? "unchanged" : "migrated";
    const left = running === null ? {} : { running };
    const answered = resolved.size === 0 ? {} : { resolved: [...resolved] };
    await printShortened({
      outcome,
      applied,
      ...answered,
      ...(adopted.length === 0 ? {} : { adopted }),
      waiting,
      ahead,
      ...left,
    });
    return EXIT.done;
  } catch (error) {
    if (known === null || begun.hasWork || !isOutOfReach(error)) throw error;
    say(`${reasonOf(error)}: the database is not checked; at ${known} it had all that this release needs`);
    await printShortened({ outcome: "unchecked", applied: [], reason: reasonOf(error), seen: known });
    return EXIT.done;
  }
}

async function wanted({ folder, spec }: Arguments): Promise<Wanted> {
  const identity = spec.database.kind === "file" ? null : spec.database.identity;
  return {
    scripts: await fetchBundle(spec.bundle, { folder, identity, host: spec.artifactHost ?? null }),
    contracted: spec.contracted,
    releaseId: spec.releaseId,
    resolveCommand: (script: string) =>
      `\`bluegreen migrations resolve ${script} --as applied\` (or \`--as pending\`); there: node ${join(folder, "migrate.js")} resolve ${script} --as applied (or pending) --folder ${folder}`,
  };
}

/** Idempotent: changes only scripts that are left running. @returns those. */
async function resolveAll(
  unresolved: NonNullable<MigrateSpec["resolve"]>,
  waitSeconds: number,
  database: Database,
): Promise<string[]> {
  const resolved: string[] = [];
  if (unresolved.length > 0) await lock(database, { waitSeconds, say });
  for (const { script, as } of unresolved) {
    const wasRunning = await database.resolve(script, as);
    say(`${script} ${wasRunning ? `is ${as} in the journal now` : "is not left running in the journal"}`);
    if (wasRunning) resolved.push(script);
  }
  return resolved;
}

async function resolve({ script, as, spec }: Arguments, database: Database): Promise<object> {
  await lock(database, { waitSeconds: spec.waitSeconds, say });
  if (!(await database.resolve(script, as))) {
    throw new MigrationRefused(`${script} is not left running in the journal: there is nothing to resolve`);
  }
  return { outcome: "resolved", script, as };
}

function say(line: string): void {
  process.stderr.write(`migrate: ${line}\n`);
}

/** Whether the database or the bundle could not be reached. */
function isOutOfReach(error: unknown): boolean {
  return error instanceof SessionLost || error instanceof LoginRefused || error instanceof OutOfReach;
}

function reasonOf(error: unknown): string {
  return inOneLine(errorText(error));
}

function exitCodeOf(error: unknown): ExitCode {
  return failureCodeOf(error) ?? EXIT.unexpected;
}

async function failed(error: Error): Promise<ExitCode> {
  const exitCode = exitCodeOf(error);
  const reason = reasonOf(error);
  say(reason);
  const left = error instanceof ScriptRunning || error instanceof ScriptFailed ? error.running : null;
  const running = left === null ? {} : { running: left };
  await printShortened({
    outcome: exitCode === EXIT.rejected ? "failed" : "refused",
    exitCode,
    reason,
    ...running,
  });
  return exitCode;
}

if (require.main === module) runProgram("migrate", main, failed);
