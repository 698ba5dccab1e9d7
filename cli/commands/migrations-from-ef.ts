/** migrations from-ef: the scripts of an EF Core project. */
import { existsSync } from "node:fs";
import { Option } from "commander";
import type { Command } from "commander";
import type { Dialect } from "../../release/migrations/sql-text";
import { databaseDialect } from "../../configuration/platform";
import { fromEf } from "../ef/from-ef";
import type { FromEfResult } from "../ef/from-ef";
import { out } from "../terminal/colours";
import { shellWord } from "../terminal/shell-word";
import { common, open, progressFor, printResult } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";

interface FromEfOptions extends CommonOptions {
  readonly project: string;
  readonly to: string;
  readonly startupProject?: string;
  readonly context?: string;
  readonly dialect?: Dialect;
  readonly baseline?: string;
  readonly keepWritten?: boolean;
}

/** @param migrations the command that it stands below. */
export function addFromEf(migrations: Command): void {
  common(migrations.command("from-ef"))
    .description("make a numbered script of each migration of an EF Core project")
    .requiredOption("--project <folder>", "the project with the DbContext and its migrations")
    .option("--to <folder>", "where the scripts are", "migrations")
    .option("--startup-project <folder>", "the project that configures the DbContext, if it is another one")
    .option("--context <name>", "which DbContext, where there are several")
    .addOption(
      new Option("--dialect <dialect>", "the database; else what the project's provider says").choices([
        "postgres",
        "mssql",
      ]),
    )
    .option("--baseline <migration>", "every database has it and all before it: they are taken over")
    .option("--keep-written", "after an upgrade of EF Core: scripts stay that it would write differently now")
    .action(async (_own: FromEfOptions, command: Command) => {
      // `migrations` has some of the same options, and takes them wherever they stand.
      const options = command.optsWithGlobals<FromEfOptions>();
      const progress = progressFor(options);
      const { project, to, startupProject, context, baseline } = options;
      const wanted = {
        ...{ project, to, keepWritten: options.keepWritten === true },
        ...(startupProject === undefined ? {} : { startupProject }),
        ...(context === undefined ? {} : { context }),
        ...(baseline === undefined ? {} : { baseline }),
        dialect: options.dialect ?? environmentDialect(options, command),
      };
      try {
        const result = await fromEf(wanted, progress, (line) => console.error(line));
        printResult(options, { folder: to, ...result }, wordsOf(to, result));
      } finally {
        progress.stop();
      }
    });
}

/** Scripts can be made before there is an environment: only one that was named must be there. */
function environmentDialect(options: CommonOptions, command: Command): Dialect | null {
  const isNamed = command.getOptionValueSourceWithGlobals("environment") === "cli";
  return isNamed || existsSync(options.environment) ? databaseDialect(open(options).environment) : null;
}

function wordsOf(folder: string, { written, unchanged }: FromEfResult): string {
  const kept = unchanged === 0 ? "" : `; ${unchanged} stayed as they were`;
  if (written.length === 0) return `${out.green("✔")} nothing new${kept}`;
  const lines = written.map(({ name, phase, transaction }) => {
    const marks = [
      ...(phase === "contract" ? ["waits until no release needs the old schema"] : []),
      ...(transaction ? [] : ["without a transaction"]),
    ];
    return `${out.green("✔")} ${name}${marks.length === 0 ? "" : ` (${marks.join("; ")})`}`;
  });
  return [
    ...lines,
    `${written.length} written${kept}`,
    `go on with: bluegreen migrations ${shellWord(folder)}`,
  ].join("\n");
}
