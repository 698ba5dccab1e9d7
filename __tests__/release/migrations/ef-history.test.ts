/** A script names its EF Core migration, and a database that has the migration is adopted. */
import { readScripts } from "../../../release/migrations/scripts";
import { efHistoryQueries, isAppliedByEf } from "../../../release/migrations/ef-history";
import type { Script } from "../../../release/migrations/scripts";

function script(header: string, name = "0001-Init.sql"): Script {
  return readScripts(new Map([[name, Buffer.from(`${header}\nSELECT 1;\n`)]]))[0]!;
}

const INIT = "-- ef-migration: 20261129172048_Init";

describe("a script's first lines", () => {
  it("name the migration; the default is EF's table", () => {
    expect(script(INIT).efMigration).toEqual({
      id: "20261129172048_Init",
      history: { schema: null, table: "__EFMigrationsHistory", idColumn: "MigrationId" },
      baseline: false,
    });
    expect(script("-- a script of ours").efMigration).toBeNull();
  });

  it("can name another history table, and that every database has the migration", () => {
    const text = `${INIT}\n-- ef-history: "app.x"."a ""b""" ("migration_id")\n-- ef-baseline\n-- no-transaction`;
    expect(script(text)).toMatchObject({
      transaction: false,
      efMigration: {
        baseline: true,
        history: { schema: "app.x", table: 'a "b"', idColumn: "migration_id" },
      },
    });
  });

  it("are not looked for behind the first statement", () => {
    expect(script(`SELECT 0;\n${INIT}`).efMigration).toBeNull();
  });

  it.each([
    ["-- ef-migration:", /ef-migration "" must be the id/],
    ["-- ef-migration", /ef-migration "" must be the id/],
    ["-- ef-baseline", /ef-migration "" must be the id/],
    [`${INIT}\n${INIT}`, /ef-migration twice/],
    [`${INIT}\n-- ef-basline`, /ef-basline is unknown/],
    [`${INIT}\n-- ef-history: [dbo].[x] ([y])`, /ef-history .* must be a table and its column/],
    [`-- ef-migration: ${"x".repeat(151)}`, /must be the id/],
  ])("refused where they mean nothing: %j", (header, message) => {
    expect(() => script(header)).toThrow(message);
  });
});

describe("what is asked of the database", () => {
  it("PostgreSQL: whether the table is there, then the ids", () => {
    expect(efHistoryQueries(script(INIT).efMigration!.history, "postgres")).toEqual({
      exists: `SELECT to_regclass('"__EFMigrationsHistory"')::text AS found`,
      ids: `SELECT "MigrationId" AS id FROM "__EFMigrationsHistory"`,
    });
  });

  it("SQL Server", () => {
    expect(efHistoryQueries(script(INIT).efMigration!.history, "mssql")).toEqual({
      exists: "SELECT OBJECT_ID(N'[__EFMigrationsHistory]', N'U') AS found",
      ids: "SELECT [MigrationId] AS id FROM [__EFMigrationsHistory]",
    });
  });

  it("names are quoted, whatever is in them", () => {
    const history = { schema: "a]b", table: `c'"d`, idColumn: "e]" };
    expect(efHistoryQueries(history, "mssql")).toEqual({
      exists: `SELECT OBJECT_ID(N'[a]]b].[c''"d]', N'U') AS found`,
      ids: `SELECT [e]]] AS id FROM [a]]b].[c'"d]`,
    });
    expect(efHistoryQueries(history, "postgres").ids).toBe(`SELECT "e]" AS id FROM "a]b"."c'""d"`);
  });
});

describe("a script that the journal does not know", () => {
  const has = (...ids: string[]): ReadonlySet<string> => new Set(ids);

  it("is applied already where EF's table has its migration", () => {
    expect(isAppliedByEf(script(INIT), has("20261129172048_Init"))).toBe(true);
    expect(isAppliedByEf(script(INIT), has("20261129172049_Other"))).toBe(false);
    expect(isAppliedByEf(script(INIT), has())).toBe(false);
  });

  it("is run where it is no EF migration's", () => {
    expect(isAppliedByEf(script("-- ours"), has("20261129172048_Init"))).toBe(false);
  });

  it("is refused where every database should have it, and one that EF migrated does not", () => {
    const baseline = script(`${INIT}\n-- ef-baseline`);
    expect(isAppliedByEf(baseline, has())).toBe(false); // an empty database gets all of it
    expect(() => isAppliedByEf(baseline, has("20250101000000_First"))).toThrow(
      /0001-Init.sql has -- ef-baseline.*not 20261129172048_Init.*dotnet ef database update/,
    );
  });
});
