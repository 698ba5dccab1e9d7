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

/** @param migrations the parent command. */
export function addFromEf(migrations: Command): void {
  common(migrations.command("from-ef"))
    .description("turn each migration of an EF Core project into a numbered script")
    .requiredOption("--project <folder>", "the project with the DbContext and its migrations")
    .option("--to <folder>", "the scripts' folder", "migrations")
    .option("--startup-project <folder>", "the project that configures the DbContext, if it is another one")
    .option("--context <name>", "the DbContext, if there are several")
    .addOption(
      new Option("--dialect <dialect>", "the database; default: the provider's").choices([
        "postgres",
        "mssql",
      ]),
    )
    .option(
      "--baseline <migration>",
      "every database has this migration and all before it: adopt their scripts",
    )
    .option(
      "--keep-written",
      "after an upgrade of EF Core: keep existing scripts that it would now write differently",
    )
    .action(async (_options: FromEfOptions, command: Command) => {
      // `migrations` shares some options, and parses them wherever they are.
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
        printResult(options, { folder: to, ...result }, describe(to, result));
      } finally {
        progress.stop();
      }
    });
}

/** Scripts can be written before an environment exists; only one given explicitly must exist. */
function environmentDialect(options: CommonOptions, command: Command): Dialect | null {
  const isNamed = command.getOptionValueSourceWithGlobals("environment") === "cli";
  return isNamed || existsSync(options.environment) ? databaseDialect(open(options).environment) : null;
}

function describe(folder: string, { written, unchanged }: FromEfResult): string {
  const kept = unchanged === 0 ? "" : `; ${unchanged} unchanged`;
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
    `next: bluegreen migrations ${shellWord(folder)}`,
  ].join("\n");
}
