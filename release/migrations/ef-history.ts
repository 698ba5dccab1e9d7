/**
 * The header of a script that was generated from an EF Core migration, and the takeover of a database that EF migrated
 * before: if EF's history table contains a migration, its script counts as applied and does not run.
 */
import { InvalidInput } from "../failure";
import { quote } from "../text";
import type { Dialect } from "./sql-text";

/** EF's history table, as the project configures it. */
export interface EfHistory {
  /** null: the login's default schema. */
  readonly schema: string | null;
  readonly table: string;
  /** The column with the migration's id; naming conventions change it. */
  readonly idColumn: string;
}

export interface EfMigration {
  /** As in `20261129172048_Init`. */
  readonly id: string;
  readonly history: EfHistory;
  /** Every existing database already has it, so it only runs on an empty database. */
  readonly baseline: boolean;
}

/** EF's default. */
const DEFAULT_HISTORY: EfHistory = {
  schema: null,
  table: "__EFMigrationsHistory",
  idColumn: "MigrationId",
};

/** EF's own limit for the column. */
const LONGEST_ID = 150;
const NAME = String.raw`"(?:[^"]|"")+"`;
const HISTORY = new RegExp(String.raw`^(?:(${NAME})\.)?(${NAME}) \((${NAME})\)$`);

/**
 * @param header the comments before a script's first statement.
 * @returns null if the script is not from an EF migration.
 * @throws InvalidInput if a header line is unknown, because a typing error could run a script twice.
 */
export function efMigrationOf(script: string, header: string): EfMigration | null {
  const fields = new Map<string, string>();
  for (const [, key, value] of header.matchAll(
    /^[ \t]*--[ \t]*ef-([a-z-]+)[ \t]*(?::[ \t]*(.*?))?[ \t]*$/gm,
  )) {
    if (fields.has(key!)) throw new InvalidInput(`${script}: its first lines have ef-${key} twice`);
    fields.set(key!, value ?? "");
  }
  if (fields.size === 0) return null;
  const unknown = [...fields.keys()].find((key) => !["migration", "history", "baseline"].includes(key));
  if (unknown !== undefined) {
    throw new InvalidInput(
      `${script}: ef-${unknown} is unknown: use ef-migration, ef-history or ef-baseline`,
    );
  }
  const id = fields.get("migration") ?? "";
  if (!isMigrationId(id)) {
    throw new InvalidInput(
      `${script}: ef-migration ${quote(id)} must be the id of an EF migration, as in 20261129172048_Init`,
    );
  }
  return { id, history: historyFrom(script, fields.get("history")), baseline: fields.has("baseline") };
}

/** Whether it fits in EF's history table and in a one-line comment. */
export function isMigrationId(id: string): boolean {
  return /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(id) && id.trim() === id && id.length <= LONGEST_ID;
}

/** The lines that `efMigrationOf` reads. */
export function efHeader({ id, history, baseline }: EfMigration): string {
  const { schema, table, idColumn } = history;
  const isDefault =
    schema === null && table === DEFAULT_HISTORY.table && idColumn === DEFAULT_HISTORY.idColumn;
  const place = [...(schema === null ? [] : [schema]), table].map((name) => quoted(name, "postgres"));
  return [
    `-- ef-migration: ${id}`,
    ...(isDefault ? [] : [`-- ef-history: ${place.join(".")} (${quoted(idColumn, "postgres")})`]),
    ...(baseline ? ["-- ef-baseline"] : []),
  ].join("\n");
}

/**
 * @returns `exists`: one row, whose column `found` is null if there is no such table; `ids`: one row for each
 * migration that the database has, in the column `id`, to be asked only where the table exists.
 */
export function efHistoryQueries(history: EfHistory, dialect: Dialect): { exists: string; ids: string } {
  const { schema, table, idColumn } = history;
  const names = schema === null ? [table] : [schema, table];
  const place = names.map((name) => quoted(name, dialect)).join(".");
  const literal = `'${place.replaceAll("'", "''")}'`;
  return {
    exists:
      dialect === "postgres"
        ? `SELECT to_regclass(${literal})::text AS found`
        : `SELECT OBJECT_ID(N${literal}, N'U') AS found`,
    ids: `SELECT ${quoted(idColumn, dialect)} AS id FROM ${place}`,
  };
}

/**
 * Whether a script that is not in the journal is already applied.
 * @param ids what EF's history table has; empty where there is no such table.
 * @throws InvalidInput if a baseline is missing in a database that has other EF migrations.
 */
export function isAppliedByEf(
  script: { readonly name: string; readonly efMigration: EfMigration | null },
  ids: ReadonlySet<string>,
): boolean {
  if (script.efMigration === null) return false;
  const { id, baseline } = script.efMigration;
  if (ids.has(id)) return true;
  if (baseline && ids.size > 0) {
    throw new InvalidInput(
      `${script.name} has -- ef-baseline, but this database has other EF migrations and not ${id}: migrate it there first (dotnet ef database update ${id})`,
    );
  }
  return false;
}

function historyFrom(script: string, text: string | undefined): EfHistory {
  if (text === undefined) return DEFAULT_HISTORY;
  const [, schema, table, idColumn] = HISTORY.exec(text) ?? [];
  if (table === undefined || idColumn === undefined) {
    throw new InvalidInput(
      `${script}: ef-history ${quote(text)} must be a table and its column, as in "app"."__EFMigrationsHistory" ("MigrationId")`,
    );
  }
  const plain = (name: string): string => name.slice(1, -1).replaceAll('""', '"');
  return {
    schema: schema === undefined ? null : plain(schema),
    table: plain(table),
    idColumn: plain(idColumn),
  };
}

function quoted(name: string, dialect: Dialect): string {
  return dialect === "postgres" ? `"${name.replaceAll('"', '""')}"` : `[${name.replaceAll("]", "]]")}]`;
}
