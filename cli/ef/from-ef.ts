/** `bluegreen migrations from-ef`: writes a numbered script for each migration of an EF Core project. */
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { numberedScripts } from "../../release/migrations/ef-core/numbered-scripts";
import type { EfProjectMigration } from "../../release/migrations/ef-core/numbered-scripts";
import { isMigrationId } from "../../release/migrations/ef-history";
import { refuseUnended } from "../../release/migrations/ef-core/unended";
import { outsideTransaction, partsOf } from "../../release/migrations/ef-core/whole-history";
import { lint } from "../../release/migrations/lint";
import type { Finding } from "../../release/migrations/lint";
import { inSeparateBatches } from "../../release/migrations/separate-batches";
import { readScripts } from "../../release/migrations/scripts";
import type { Script } from "../../release/migrations/scripts";
import type { Dialect } from "../../release/migrations/sql-text";
import { refuseTransactionControl } from "../../release/migrations/transaction-control";
import { InvalidInput } from "../../release/failure";
import { quote, inOneLine } from "../../release/text";
import { writeAtomically } from "../../system/atomic-file";
import type { Progress } from "../terminal/progress";
import { readEfProject } from "./dotnet-ef";
import type { EfHistoryTexts, EfProject } from "./dotnet-ef";
import { SPLIT_ADVICE } from "./split-advice";

export interface FromEf extends EfProject {
  /** The folder of the scripts. */
  readonly to: string;
  /** null: taken from the project's provider. */
  readonly dialect: Dialect | null;
  /** Every database in use has this migration and all before it. */
  readonly baseline?: string;
  /** Keeps existing scripts, even if EF would generate other ones now. */
  readonly keepWritten: boolean;
}

export interface FromEfResult {
  readonly dialect: Dialect;
  readonly written: readonly Pick<Script, "name" | "phase" | "transaction">[];
  /** The number of existing scripts that did not change. */
  readonly unchanged: number;
}

const PROVIDERS: Readonly<Record<string, Dialect>> = {
  "Npgsql.EntityFrameworkCore.PostgreSQL": "postgres",
  "Microsoft.EntityFrameworkCore.SqlServer": "mssql",
};

/**
 * Writes nothing if it refuses something.
 * @param warn gets the lines for people.
 * @throws Failure InvalidInput
 */
export async function fromEf(
  wanted: FromEf,
  progress: Progress,
  warn: (line: string) => void,
): Promise<FromEfResult> {
  const files = filesIn(wanted.to);
  const written = readScripts(files);
  const texts = await readEfProject(wanted, (text) => progress.now(text));
  progress.stop();
  const dialect = dialectOf(texts.provider, wanted.dialect);
  const migrations = migrationsOf(texts, dialect, wanted.baseline);
  const { added, differing } = numberedScripts(migrations, written, {
    dialect,
    keepWritten: wanted.keepWritten,
  });
  for (const difference of differing) warn(`${difference}; kept unchanged (--keep-written)`);
  for (const { name, content } of added) files.set(name, Buffer.from(content));
  const scripts = readScripts(files).filter(({ name }) => added.some((script) => script.name === name));
  for (const script of scripts) refuseTransactionControl(script, dialect);
  judge(scripts, dialect, warn);
  if (added.length > 0) mkdirSync(wanted.to, { recursive: true });
  for (const { name, content } of added) writeAtomically(join(wanted.to, name), content, 0o644);
  return {
    dialect,
    written: scripts.map(({ name, phase, transaction }) => ({ name, phase, transaction })),
    unchanged: migrations.length - added.length,
  };
}

function filesIn(folder: string): Map<string, Uint8Array> {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return new Map();
  if (!found.isDirectory()) throw new InvalidInput(`--to ${quote(folder)} is not a folder`);
  const names = readdirSync(folder).filter((name) => /\.sql$/i.test(name));
  return new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
}

function dialectOf(provider: string, wanted: Dialect | null): Dialect {
  const known = PROVIDERS[provider];
  if (known === undefined && wanted !== null) return wanted;
  if (known === undefined) {
    throw new InvalidInput(
      `the project's provider is ${quote(provider)}, and only PostgreSQL (Npgsql) and SQL Server are known: set --dialect if it generates SQL for one of them`,
    );
  }
  if (wanted === null || wanted === known) return known;
  throw new InvalidInput(
    `the project generates SQL for ${known} (${provider}), but the environment or --dialect is ${wanted}: choose another --context, --environment or --dialect`,
  );
}

function migrationsOf(
  { ids, withoutTransactions, withTransactions }: EfHistoryTexts,
  dialect: Dialect,
  baseline: string | undefined,
): EfProjectMigration[] {
  const odd = ids.find((id) => !isMigrationId(id));
  if (odd !== undefined)
    throw new InvalidInput(`${quote(odd)} can't be the name of a script: rename the migration`);
  const newestOfBaseline = baseline === undefined ? -1 : ids.indexOf(baseline);
  if (baseline !== undefined && newestOfBaseline === -1) {
    throw new InvalidInput(
      `--baseline ${quote(baseline)} is not a migration of the project; the newest is ${ids.at(-1)}`,
    );
  }
  const outside = outsideTransaction(withTransactions, ids, dialect);
  return partsOf(withoutTransactions, ids, dialect).map(({ id, history, sql }, index) => {
    if (dialect === "postgres") refuseUnended(id, sql);
    return {
      ...{ id, history, baseline: index <= newestOfBaseline },
      sql: dialect === "mssql" ? inBatches(id, sql) : sql,
      transaction: !outside.has(id),
    };
  });
}

function inBatches(id: string, sql: string): string {
  try {
    return inSeparateBatches(sql);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new InvalidInput(`${id}, ${error.message}`);
  }
}

/** Every database has the baseline, so none of it runs beside a release. */
function judge(scripts: readonly Script[], dialect: Dialect, warn: (line: string) => void): void {
  const run = scripts.filter(({ efMigration }) => efMigration?.baseline !== true);
  const findings = run.flatMap((script) => lint(script, dialect));
  const describe = ({ script, line, level, kind, message }: Finding): string =>
    `${script}:${line}: ${message}${level === "breaks" ? `. Split it: ${SPLIT_ADVICE[kind]}` : ""}`;
  for (const finding of findings) warn(inOneLine(describe(finding)));
  const breaking = findings.filter(({ level }) => level === "breaks");
  const first = run.find(({ name }) => name === breaking[0]?.script);
  if (first === undefined) {
    for (const { name } of run.filter((script) => !script.transaction))
      warn(
        `${name} runs outside a transaction (suppressTransaction): give such a statement its own migration, because a failure does not undo earlier statements`,
      );
    return;
  }
  const { id } = first.efMigration!;
  throw new InvalidInput(
    `${id} would break the running release${breaking.length === 1 ? "" : ` (${breaking.length} statements in all)`}; nothing was written: move that into a separate migration (dotnet ef migrations add Contract_${id.replace(/^\d{14}_/, "")}), or write migrationBuilder.Sql("-- reviewed: why") before a safe statement; --baseline ${id} if every database has it`,
  );
}
