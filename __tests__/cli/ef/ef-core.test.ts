/**
 * The way from an EF Core project to a migrated database, with the real `dotnet ef` and a real PostgreSQL; SQL Server's
 * scripts as far as its batches. Skipped, and said so, where there is no .NET SDK or no NuGet.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { lint } from "../../../release/migrations/lint";
import { readScripts } from "../../../release/migrations/scripts";
import { batches } from "../../../release/migrations/sql-text";
import { follow } from "../../../development/testbed/processes";
import { DatabaseServer } from "../../on-server/migrate/migrator";
import type { TestDatabase } from "../../on-server/migrate/migrator";
import { DotnetProject, migration } from "./dotnet-project";

const COMMAND = resolve("lib/cli/main.js");
const TITLE = "from EF Core to a migrated database";

const POSTGRES = migration(
  "PostgresStore",
  "20990101000000_Views",
  `      b.Sql("CREATE VIEW names AS SELECT \\"Name\\" FROM \\"Blogs\\";");
      b.Sql("-- reviewed: a comment alone, which EF and the database must take");
      b.AddColumn<string>("Extra", "Blogs", nullable: true);
      b.Sql("UPDATE \\"Blogs\\" SET \\"Extra\\" = \\"Name\\"");`,
);
const OUTSIDE = migration(
  "PostgresStore",
  "20990102000000_Outside",
  `      b.Sql("CREATE INDEX CONCURRENTLY \\"IX_Extra\\" ON \\"Blogs\\" (\\"Extra\\");", suppressTransaction: true);`,
);
const CONTRACT = migration(
  "PostgresStore",
  "20990103000000_Contract_Extra",
  `      b.DropColumn("Extra", "Blogs");`,
);
const SQL_SERVER = migration(
  "SqlServerStore",
  "20990101000000_Modules",
  `      b.AddColumn<string>("Extra", "Blogs", nullable: true);
      b.Sql("UPDATE Blogs SET Extra = Name");
      b.Sql("CREATE VIEW dbo.Names AS SELECT Name FROM dbo.Blogs");
      b.Sql("UPDATE Posts SET Body = Body; CREATE PROCEDURE dbo.P AS BEGIN SET NOCOUNT ON; SELECT 1; END");
      b.Sql("ALTER TABLE Posts ADD Slug int NULL; UPDATE Posts SET Slug = Id");`,
);

const SCHEMA = [
  "SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'bluegreen_migrations' ORDER BY 1, 2",
  "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'bluegreen_migrations' ORDER BY 1",
  "SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'bluegreen_migrations' ORDER BY 1",
  "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
  'SELECT * FROM "__EFMigrationsHistory" ORDER BY 1',
  'SELECT * FROM "Blogs" ORDER BY 1',
];

const project = ((): DotnetProject | null => {
  try {
    return DotnetProject.create();
  } catch (error) {
    console.warn(`skipped, ${(error as Error).message}: ${TITLE}`);
    return null;
  }
})();

(project === null ? describe.skip : describe)(TITLE, () => {
  const { app, env } = project!;
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-ef-scripts-"));
  let server: DatabaseServer;
  let database: TestDatabase;

  beforeAll(async () => {
    server = await DatabaseServer.start();
    database = await server.newDatabase();
    project!.dotnet(..."ef migrations add Init --context PostgresStore --output-dir Postgres".split(" "));
    project!.dotnet(
      ..."ef migrations add Init --no-build --context SqlServerStore --output-dir SqlServer".split(" "),
    );
    project!.write("Views.cs", POSTGRES);
    project!.write("Modules.cs", SQL_SERVER);
  });

  afterAll(async () => {
    await database.close();
    server.stop();
    project!.remove();
    rmSync(folder, { recursive: true });
  });

  const fromEf = (...args: string[]) =>
    follow(
      spawn(process.execPath, [COMMAND, "migrations", "from-ef", "--project", app, "--json", ...args], {
        cwd: folder,
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    ).ended;

  function scripts(name: string): Record<string, string> {
    const names = readdirSync(join(folder, name)).sort();
    return Object.fromEntries(names.map((each) => [each, readFileSync(join(folder, name, each), "utf8")]));
  }

  /** What EF itself makes of a database. */
  function updateWithEf(on: TestDatabase, to: string): void {
    const { hostname, port, username, password, pathname } = new URL(on.url);
    const connection = `Host=${hostname};Port=${port};Username=${username};Password=${decodeURIComponent(password)};Database=${pathname.slice(1)}`;
    project!.dotnet(
      ...["ef", "database", "update", to, "--no-build"],
      ...["--context", "PostgresStore"],
      ...["--connection", connection],
    );
  }

  /** All that a release could notice, and EF's own table. */
  async function schema(on: TestDatabase): Promise<unknown> {
    const all: unknown[] = [];
    for (const sql of SCHEMA) all.push(await on.rows(sql));
    return all;
  }

  const idOf = (text: string): string => /^-- ef-migration: (.+)$/m.exec(text)![1]!;

  it("one script for each migration, in EF's order", async () => {
    const ended = await fromEf("--context", "PostgresStore");
    expect({ ...ended, stdout: JSON.parse(ended.stdout) as unknown }).toMatchObject({
      exitCode: 0,
      stdout: { dialect: "postgres", written: [{ name: "0001-Init.sql" }, { name: "0002-Views.sql" }] },
    });
  });

  it("the migrator makes of a database what EF makes of one, its history table too", async () => {
    const files = scripts("migrations");
    expect(await database.run(files)).toMatchObject({ exitCode: 0, result: { outcome: "migrated" } });
    const byEf = await server.newDatabase();
    try {
      updateWithEf(byEf, idOf(files["0002-Views.sql"]!));
      expect(await schema(database)).toEqual(await schema(byEf));
    } finally {
      await byEf.close();
    }
    expect(await database.rows('SELECT "Extra" FROM "Blogs"')).toEqual([{ Extra: "it's; COMMIT;" }]);
  });

  it("more migrations are more files: one outside of a transaction, one that waits", async () => {
    const before = scripts("migrations");
    project!.write("Outside.cs", OUTSIDE);
    project!.write("Contract.cs", CONTRACT);
    const ended = await fromEf("--context", "PostgresStore");
    expect(JSON.parse(ended.stdout)).toMatchObject({
      written: [
        { name: "0003-Outside.sql", phase: "expand", transaction: false },
        { name: "0004-contract-Extra.sql", phase: "contract", transaction: true },
      ],
      unchanged: 2,
    });
    const files = scripts("migrations");
    expect(files).toMatchObject(before);
    expect(await database.run(files)).toMatchObject({
      exitCode: 0,
      result: { applied: [{ script: "0003-Outside.sql" }], waiting: ["0004-contract-Extra.sql"] },
    });
    const ids = await database.rows<{ id: string }>(
      'SELECT "MigrationId" AS id FROM "__EFMigrationsHistory" ORDER BY 1',
    );
    // EF knows what waits: `Database.Migrate()` would run it, so it must be off.
    expect(ids.map(({ id }) => id)).toEqual(Object.values(files).slice(0, 3).map(idOf));
    const contracted = ["0004-contract-Extra.sql"];
    expect(await database.run(files, { contracted })).toMatchObject({ exitCode: 0, result: { waiting: [] } });
    expect(await database.count('"__EFMigrationsHistory"')).toBe(4);
  });

  // The migrator does not look into EF's history table yet: then this is `it`.
  it("a database that EF migrated is taken over, and migrated on from there", async () => {
    const files = scripts("migrations");
    const byEf = await server.newDatabase();
    try {
      updateWithEf(byEf, idOf(files["0002-Views.sql"]!));
      expect(await byEf.run(files)).toMatchObject({
        exitCode: 0,
        result: { applied: [{ script: "0003-Outside.sql" }] },
      });
      expect(await byEf.journal()).toEqual([
        "0001-Init.sql applied",
        "0002-Views.sql applied",
        "0003-Outside.sql applied",
      ]);
    } finally {
      await byEf.close();
    }
  });

  it("SQL Server: each batch is fit to be run, and nothing of it breaks a release", async () => {
    const ended = await fromEf("--context", "SqlServerStore", "--to", "sql-server");
    expect(JSON.parse(ended.stdout)).toMatchObject({
      dialect: "mssql",
      written: [{ name: "0001-Init.sql" }, { name: "0002-Modules.sql" }],
    });
    const files = scripts("sql-server");
    const starts = batches(files["0002-Modules.sql"]!).map(({ text }) =>
      text
        .replace(/^(--.*\n|\s)+/, "")
        .split(/\s+/)
        .slice(0, 3)
        .join(" "),
    );
    expect(starts).toEqual([
      "ALTER TABLE [Blogs]",
      "UPDATE Blogs SET",
      "CREATE VIEW dbo.Names",
      "UPDATE Posts SET",
      "CREATE PROCEDURE dbo.P",
      "ALTER TABLE Posts",
      "UPDATE Posts SET",
      "INSERT INTO [__EFMigrationsHistory]",
    ]);
    const read = readScripts(new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)])));
    expect(read.flatMap((script) => lint(script, "mssql")).filter(({ level }) => level === "breaks")).toEqual(
      [],
    );
  });
});
