/** From what `dotnet ef migrations script` (10.0.15) wrote, recorded here, to numbered scripts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { numberedScripts } from "../../../../release/migrations/ef-core/numbered-scripts";
import type { EfProjectMigration } from "../../../../release/migrations/ef-core/numbered-scripts";
import { refuseUnended } from "../../../../release/migrations/ef-core/unended";
import { outsideTransaction, partsOf } from "../../../../release/migrations/ef-core/whole-history";
import { readScripts } from "../../../../release/migrations/scripts";
import type { Script } from "../../../../release/migrations/scripts";
import { batches, statements } from "../../../../release/migrations/sql-text";
import type { Dialect } from "../../../../release/migrations/sql-text";

const recorded = (name: string): string => readFileSync(join(__dirname, `${name}.sql`), "utf8");
const IDS: Readonly<Record<Dialect, readonly string[]>> = {
  postgres: [
    "20261129194627_Init",
    "20261129194636_Owner",
    "20261201000000_Raw",
    "20261202000000_Concurrently",
    "20261203000000_Contract_DropOwner",
  ],
  mssql: [
    "20261129194630_Init",
    "20261129194638_Owner",
    "20261201000000_Raw",
    "20261202000000_Snapshot",
    "20261203000000_Drop1",
    "20261204000000_Contract_Drop2",
  ],
};

function project(dialect: Dialect, more: Partial<EfProjectMigration> = {}): EfProjectMigration[] {
  const outside = outsideTransaction(recorded(`${dialect}-transactions`), IDS[dialect], dialect);
  return partsOf(recorded(dialect), IDS[dialect], dialect).map(({ id, history, sql }) => ({
    ...{ id, history, sql, baseline: false, transaction: !outside.has(id) },
    ...more,
  }));
}

function folder(scripts: readonly { name: string; content: string }[]): Script[] {
  return readScripts(new Map(scripts.map(({ name, content }) => [name, Buffer.from(content)])));
}

function added(
  migrations: readonly EfProjectMigration[],
  written: readonly Script[] = [],
  dialect: Dialect = "postgres",
) {
  return numberedScripts(migrations, written, { dialect, keepWritten: false }).added;
}

describe("the whole history is parted", () => {
  it.each(["postgres", "mssql"] as const)("%s: each part ends with its row, nothing is lost", (dialect) => {
    const parts = partsOf(recorded(dialect), IDS[dialect], dialect);
    expect(parts.map(({ id }) => id)).toEqual(IDS[dialect]);
    for (const { id, sql } of parts) {
      expect(sql.match(/__EFMigrationsHistory.*\n?VALUES/g)).toHaveLength(1);
      expect(sql).toMatch(new RegExp(`VALUES \\(N?'${id}', N?'10\\.0\\.15'\\);\n(GO\n)?$`));
    }
    const letters = (text: string): string => text.replace(/[\s;]+/g, "");
    expect(letters(parts.map(({ sql }) => sql).join(""))).toBe(letters(recorded(dialect)));
  });

  it("only the first one makes EF's history table", () => {
    const makes = partsOf(recorded("postgres"), IDS.postgres, "postgres").map(({ sql }) =>
      sql.includes('CREATE TABLE IF NOT EXISTS "__EFMigrationsHistory"'),
    );
    expect(makes).toEqual([true, false, false, false, false]);
  });

  it("the history table is the project's: schema, name and column", () => {
    const text = `INSERT INTO app."My ""rows""" (migration_id, product_version)\nVALUES ('1_a', '9');\n`;
    expect(partsOf(text, ["1_a"], "postgres")[0]!.history).toEqual({
      schema: "app",
      table: 'My "rows"',
      idColumn: "migration_id",
    });
    const server = `INSERT INTO [a]]b].[c] ([MigrationId], [ProductVersion])\nVALUES (N'1_it''s', N'9');\nGO\n`;
    expect(partsOf(server, ["1_it's"], "mssql")[0]!.history).toMatchObject({ schema: "a]b", table: "c" });
  });

  it("what Sql() was given without a semicolon does not run on into the row", () => {
    const raw = partsOf(recorded("postgres"), IDS.postgres, "postgres")[2]!.sql;
    expect(statements(raw).map(({ text }) => text.split(/\s/, 1)[0])).toEqual([
      "CREATE",
      "ALTER",
      "UPDATE",
      "INSERT",
    ]);
  });

  it("suppressTransaction is found where EF ends its own transaction for it", () => {
    const found = (dialect: Dialect): string[] => [
      ...outsideTransaction(recorded(`${dialect}-transactions`), IDS[dialect], dialect),
    ];
    expect(found("postgres")).toEqual(["20261202000000_Concurrently"]);
    expect(found("mssql")).toEqual(["20261202000000_Snapshot"]);
  });

  it("a text without a migration's row is refused", () => {
    expect(() => partsOf(recorded("postgres"), [...IDS.postgres, "2027_Next"], "postgres")).toThrow(
      /no row for 2027_Next/,
    );
    expect(() => partsOf("SELECT 'open", ["1"], "postgres")).toThrow(
      /can't be parsed: line 1.*correct the Sql\(\)/,
    );
  });
});

describe("scripts", () => {
  it("number, EF's name, and a description in their first lines", () => {
    const scripts = added(project("mssql"), [], "mssql");
    expect(scripts.map(({ name }) => name)).toEqual([
      "0001-Init.sql",
      "0002-Owner.sql",
      "0003-Raw.sql",
      "0004-Snapshot.sql",
      "0005-Drop1.sql",
      "0006-contract-Drop2.sql",
    ]);
    expect(scripts[3]!.content).toMatch(
      /^-- ef-migration: 20261202000000_Snapshot\n-- no-transaction\n\nALTER/,
    );
    expect(
      folder(scripts).map(({ phase, transaction, efMigration }) => [phase, transaction, efMigration!.id]),
    ).toEqual(
      IDS.mssql.map((id) => [id.includes("Contract_") ? "contract" : "expand", !id.includes("Snapshot"), id]),
    );
    expect(scripts.some(({ content }) => content.includes("\uFEFF"))).toBe(false);
  });

  it("on SQL Server each statement has a separate batch, and a module is the first in its batch", () => {
    const raw = added(project("mssql"), [], "mssql")[2]!.content;
    const modules = batches(raw).filter(({ text }) => /(VIEW|PROCEDURE|TRIGGER) dbo/.test(text));
    expect(modules.map(({ text }) => /^(?:--.*\n)?CREATE/.test(text))).toEqual([true, true, true]);
  });

  it.each([
    ["20260101000000_AddContract", "0001-AddContract.sql", "expand"],
    ["20260101000000_Add_contract", "0001-Add_Contract.sql", "expand"],
    ["20260101000000_ContractTypes", "0001-ContractTypes.sql", "expand"],
    ["20260101000000_contract-types", "0001-Contract-types.sql", "expand"],
    ["20260101000000_Contract_", "0001-contract-Migration.sql", "contract"],
    ["20260101000000_Größe ändern; DROP", "0001-Gr-e-ndern-DROP.sql", "expand"],
    ["20260101000000_../../etc/passwd", "0001-etc-passwd.sql", "expand"],
    [`20260101000000_${"x".repeat(130)}`, `0001-${"x".repeat(80)}.sql`, "expand"],
    ["by-hand", "0001-by-hand.sql", "expand"],
  ])("%s is %s, %s", (id, name, phase) => {
    const [script] = folder(added([{ ...project("postgres")[0]!, id }]));
    expect(script).toMatchObject({ name, phase, efMigration: { id } });
  });

  it("what every database has is run in its order on an empty one: nothing of it waits", () => {
    const scripts = folder(added(project("postgres", { baseline: true })));
    expect(scripts.map(({ phase, efMigration }) => [phase, efMigration!.baseline])).toEqual(
      IDS.postgres.map(() => ["expand", true]),
    );
  });

  it("the next numbers after what is in the folder, also where that was written by hand", () => {
    const byHand = { name: "0007-views.sql", content: "CREATE VIEW v AS SELECT 1;\n" };
    expect(added(project("postgres").slice(0, 2), folder([byHand])).map(({ name }) => name)).toEqual([
      "0008-Init.sql",
      "0009-Owner.sql",
    ]);
  });
});

describe("what is written stays", () => {
  const all = project("postgres");
  const written = added(all);
  const again = (scripts: typeof written, migrations = all, keepWritten = false) =>
    numberedScripts(migrations, folder(scripts), { dialect: "postgres", keepWritten });

  it("a second run adds nothing, one more migration one script", () => {
    expect(again(written)).toEqual({ added: [], differing: [] });
    expect(again(written.slice(0, 4)).added).toEqual(written.slice(4));
  });

  it("also with a person's comments, and other line ends", () => {
    const reviewed = written.map(({ content, ...script }) => ({
      ...script,
      content: content.replace("\n\n", "\n-- reviewed: yes\n\n").replaceAll("\n", "\r\n"),
    }));
    expect(again(reviewed)).toEqual({ added: [], differing: [] });
  });

  it("also if an update of EF Core writes its version into the row", () => {
    const updated = all.map((migration) => ({
      ...migration,
      sql: migration.sql.replace("'10.0.15'", "'10.0.16'"),
    }));
    expect(again(written, updated)).toEqual({ added: [], differing: [] });
  });

  it("SQL Server: EF numbers variables through the history, which is no change", () => {
    const server = project("mssql");
    const scripts = added(server, [], "mssql");
    const renumbered = server.map((migration) => ({
      ...migration,
      sql: migration.sql.replace(/@var1/g, "@var7"),
    }));
    expect(renumbered[4]!.sql).toContain("@var7");
    expect(added(renumbered, folder(scripts), "mssql")).toEqual([]);
  });

  const changed = (index: number, from: string, to: string): EfProjectMigration[] =>
    all.map((migration, at) =>
      at === index ? { ...migration, sql: migration.sql.replace(from, to) } : migration,
    );

  it("a migration that was changed since is refused, with file, line, both values and what to do", () => {
    expect(() => again(written, changed(1, '"Owner" text', '"Owner" varchar(9)'))).toThrow(
      /^0002-Owner\.sql, line 3: it has text, but EF now writes varchar for 20261129194636_Owner: restore the migration.*remove the file.*--keep-written$/,
    );
  });

  it("a migration that became longer is refused too", () => {
    expect(() => again(written, changed(1, "'10.0.15');", "'10.0.15'); SELECT 1;"))).toThrow(
      /0002-Owner\.sql, line 8: it has its end, but EF now writes SELECT/,
    );
  });

  it("--keep-written leaves the files, reports which differ, and continues", () => {
    const { added, differing } = again(written.slice(0, 4), changed(1, "text", "varchar"), true);
    expect(added.map(({ name }) => name)).toEqual(["0005-contract-DropOwner.sql"]);
    expect(differing).toEqual([expect.stringMatching(/^0002-Owner\.sql, line 3/)]);
  });

  it("a migration that was removed is refused", () => {
    expect(() =>
      again(
        written,
        all.filter((_, index) => index !== 2),
      ),
    ).toThrow(
      /^0003-Raw\.sql was generated from 20261201000000_Raw, which is not in the project: restore the migration/,
    );
  });

  it("a migration that another one came before is refused, by both names", () => {
    const late = { ...all[0]!, id: "20261130000000_OtherBranch" };
    expect(() => again(written, [...all.slice(0, 2), late, ...all.slice(2)])).toThrow(
      /^20261130000000_OtherBranch comes before 20261201000000_Raw in the project, but 20261201000000_Raw already is 0003-Raw\.sql: make 20261130000000_OtherBranch the last one/,
    );
  });

  it("a file that was written before it was the baseline is refused: it has no mark", () => {
    expect(() => again(written, project("postgres", { baseline: true }))).toThrow(
      /^0001-Init\.sql was written without -- ef-baseline/,
    );
  });
});

describe("a statement of PostgreSQL that has no semicolon", () => {
  it.each([
    [
      "CREATE VIEW v AS SELECT 1\n\nALTER TABLE t ADD a int;",
      /CREATE VIEW v \.\.\. has no ";" before ALTER TABLE \(line 3/,
    ],
    ["UPDATE t SET a = 1 -- all\n\nDROP INDEX i;", /UPDATE t SET \.\.\. has no ";" before DROP INDEX/],
    ["GRANT SELECT ON t TO x\n\nINSERT INTO t VALUES (1);", /before INSERT INTO/],
    ["TRUNCATE t\n\n-- then\n\nDELETE FROM u;", /before DELETE FROM \(line 5/],
  ])("%j is refused", (sql, message) => {
    expect(() => refuseUnended("1_a", sql)).toThrow(message);
  });

  it.each([
    "CREATE VIEW v AS SELECT 1;\n\nALTER TABLE t ADD a int;",
    "ALTER TABLE t\n\n  DROP COLUMN a,\n\n  ALTER COLUMN b SET DEFAULT 1;",
    "WITH gone AS (\n\nDELETE FROM t RETURNING *)\n\nINSERT INTO u SELECT * FROM gone;",
    "CREATE RULE r AS ON INSERT TO t DO ALSO\n\nINSERT INTO u VALUES (1);",
    "CREATE SCHEMA s\n\nCREATE TABLE t (a int);",
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$\n\nDELETE FROM t\n\n$$;",
    "INSERT INTO t VALUES (1) ON CONFLICT (a) DO\n\nUPDATE SET b = 1;",
  ])("%j is accepted", (sql) => {
    expect(() => refuseUnended("1_a", sql)).not.toThrow();
  });

  it("what EF itself writes is always ended", () => {
    for (const { id, sql } of partsOf(recorded("postgres"), IDS.postgres, "postgres"))
      expect(() => refuseUnended(id, sql)).not.toThrow();
  });
});
