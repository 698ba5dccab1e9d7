/**
 * What a script that was made from an EF Core migration says of itself in its first lines, and how a database that EF
 * migrated before is taken over: where EF's own history table has a migration, its script counts as applied and is not
 * run.
 */
import { InvalidInput } from "../failure";
import { quote } from "../text";
import type { Dialect } from "./sql-text";

/** EF's history table, as the project configures it. */
export interface EfHistory {
  /** null: the schema that the login finds first. */
  readonly schema: string | null;
  readonly table: string;
  /** The column with the migration's id; naming conventions change it. */
  readonly idColumn: string;
}

export interface EfMigration {
  /** As in `20261129172048_Init`. */
  readonly id: string;
  readonly history: EfHistory;
  /** Every database that people use has it already: it is taken over there, and run on an empty database only. */
  readonly baseline: boolean;
}

/** What EF uses where the project does not say otherwise. */
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
 * @returns null for a script that is no EF migration's.
 * @throws InvalidInput if a line of the header means nothing, as a typing error would run a script twice.
 */
export function efMigrationOf(script: string, header: string): EfMigration | null {
  const said = new Map<string, string>();
  for (const [, key, value] of header.matchAll(
    /^[ \t]*--[ \t]*ef-([a-z-]+)[ \t]*(?::[ \t]*(.*?))?[ \t]*$/gm,
  )) {
    if (said.has(key!)) throw new InvalidInput(`${script}: its first lines say ef-${key} twice`);
    said.set(key!, value ?? "");
  }
  if (said.size === 0) return null;
  const unknown = [...said.keys()].find((key) => !["migration", "history", "baseline"].includes(key));
  if (unknown !== undefined) {
    throw new InvalidInput(
      `${script}: ef-${unknown} is not known: ef-migration, ef-history and ef-baseline are`,
    );
  }
  const id = said.get("migration") ?? "";
  if (!isMigrationId(id)) {
    throw new InvalidInput(
      `${script}: ef-migration ${quote(id)} must be the id of an EF migration, as in 20261129172048_Init`,
    );
  }
  return { id, history: historyFrom(script, said.get("history")), baseline: said.has("baseline") };
}

/** Whether EF's history table can hold it, and a comment of one line too. */
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
 * Whether a script that the journal does not know is applied already.
 * @param ids what EF's history table has; empty where there is no such table.
 * @throws InvalidInput if a script is said to be on every database, and this one has others but not it.
 */
export function isTakenOver(
  script: { readonly name: string; readonly efMigration: EfMigration | null },
  ids: ReadonlySet<string>,
): boolean {
  if (script.efMigration === null) return false;
  const { id, baseline } = script.efMigration;
  if (ids.has(id)) return true;
  if (baseline && ids.size > 0) {
    throw new InvalidInput(
      `${script.name} says -- ef-baseline, and this database has other EF migrations but not ${id}: bring it there first (dotnet ef database update ${id})`,
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
