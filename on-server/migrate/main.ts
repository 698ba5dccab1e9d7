/**
 * migrate run|plan|status|resolve --folder <folder> [--spec <base64 JSON>]
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
import { patiently } from "./attempts";
import { fetchBundle } from "./bundle";
import { CREATE_DATABASE, createDatabase } from "./create-database";
import { connect } from "./databases/connect";
import { ScriptFailed, SessionLost, wordsOf } from "./databases/database";
import type { Database, Resolution } from "./databases/database";
import { EncryptionRefused } from "./databases/prelogin-guard";
import { EXIT, MigrationRefused, ScriptRefused } from "./exit-code";
import type { ExitCode } from "./exit-code";
import { OutOfReach } from "./identity";
import { checkBundle, lock, migrate, planMigration, ScriptRunning } from "./migrate";
import type { Wanted } from "./migrate";
import { remember, seenComplete } from "./remembered";
import { statusOf } from "./status";

const SPEC_FILE = "migrate-spec";
const USAGE = `migrate run|plan|status|resolve --folder <folder>

  run      apply what is pending, in order
  plan     print what would run, and change nothing
  status   print what the journal and the bundle say of each script, and change nothing
  resolve  <script> --as applied|pending
           record what became of a script without a transaction that did not come to its end

  --folder <folder>   where the last step left its spec
  --spec <base64>     the spec itself
  --as <outcome>      applied: its work is done; pending: it is undone and runs again

Exit codes: 0 done, 1 unexpected, 2 bad input, 3 refused (nothing was changed), 4 a script failed (traffic untouched)`;

const COMMANDS = ["run", "plan", "status", "resolve"] as const;

interface Arguments {
  readonly command: (typeof COMMANDS)[number];
  readonly folder: string;
  readonly spec: MigrateSpec;
  readonly script: string;
  readonly as: Resolution;
}

async function main(): Promise<ExitCode> {
  const [word, ...args] = process.argv.slice(2);
  if (word === CREATE_DATABASE) {
    tell(await createDatabase(args));
    return EXIT.done;
  }
  const given = readArguments();
  if (given === null) return EXIT.done;
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
    tell(await work(database));
    return EXIT.done;
  } finally {
    await database.close();
  }
}

async function run(given: Arguments): Promise<ExitCode> {
  const { folder, spec } = given;
  // What a person found out has to reach the journal, whatever was complete before.
  const known = spec.resolve === undefined ? seenComplete(folder, spec) : null;
  try {
    const asked = await wanted(given);
    const resolved = new Set<string>();
    let unresolved = spec.resolve ?? [];
    const { applied, adopted, waiting, ahead } = await patiently(
      async () => {
        const database = await connect(spec.database, say);
        try {
          checkBundle(
            asked.scripts,
            { newest: spec.bundle.newest, contracts: spec.contracts },
            database.dialect,
          );
          // Once: a script that runs again and is cut short again is another matter.
          for (const script of await resolveAll(unresolved, spec.waitSeconds, database)) resolved.add(script);
          unresolved = [];
          return await migrate(database, asked, { waitSeconds: spec.waitSeconds, say });
        } finally {
          await database.close();
        }
      },
      { say, isShort: known !== null },
    );
    remember(folder, spec, new Date());
    const outcome = applied.length + adopted.length + resolved.size === 0 ? "unchanged" : "migrated";
    const answered = resolved.size === 0 ? {} : { resolved: [...resolved] };
    tell({ outcome, applied, ...answered, ...(adopted.length === 0 ? {} : { adopted }), waiting, ahead });
    return EXIT.done;
  } catch (error) {
    if (known === null || !isOutOfReach(error)) throw error;
    say(`${reasonOf(error)}: the database is not asked; at ${known} it had all that this release needs`);
    tell({ outcome: "unchecked", applied: [], reason: reasonOf(error), seen: known });
    return EXIT.done;
  }
}

async function wanted({ folder, spec }: Arguments): Promise<Wanted> {
  const identity = spec.database.kind === "file" ? null : spec.database.identity;
  return {
    scripts: await fetchBundle(spec.bundle, identity),
    contracted: spec.contracted,
    releaseId: spec.releaseId,
    resolveCommand: (script: string) =>
      `\`bluegreen migrations resolve ${script} --as applied\` (or \`--as pending\`); there: node ${join(folder, "migrate.js")} resolve ${script} --as applied (or pending) --folder ${folder}`,
  };
}

/** Idempotent: a script that is not left running stays as it is. @returns those that were. */
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
  if (rest.length > 0 || !isCommand(command)) {
    throw new InvalidInput(
      `${COMMANDS.slice(0, -1).join(", ")} or resolve is wanted, not ${quote(positionals.join(" "))}; see --help`,
    );
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

function isCommand(word: string | undefined): word is Arguments["command"] {
  return (COMMANDS as readonly (string | undefined)[]).includes(word);
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

/** Whether it was the way to the database, or to the bundle, that failed: what they would say is not known. */
function isOutOfReach(error: unknown): boolean {
  return error instanceof SessionLost || error instanceof OutOfReach;
}

function reasonOf(error: unknown): string {
  return inOneLine(wordsOf(error).replace(/\s+/g, " "));
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof InvalidInput || error instanceof ScriptRefused) return EXIT.badInput;
  if (error instanceof MigrationRefused || error instanceof EncryptionRefused) return EXIT.refused;
  return error instanceof ScriptFailed ? EXIT.failed : EXIT.unexpected;
}

process.exitCode = EXIT.unexpected;
main().then(
  (exitCode) => (process.exitCode = exitCode),
  (error: unknown) => {
    const exitCode = exitCodeOf(error);
    const reason = reasonOf(error);
    say(reason);
    const running = error instanceof ScriptRunning ? { running: error.script } : {};
    tell({ outcome: exitCode === EXIT.failed ? "failed" : "refused", exitCode, reason, ...running });
    process.exitCode = exitCode;
  },
);
