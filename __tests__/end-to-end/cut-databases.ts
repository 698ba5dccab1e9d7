/** The two databases of the releases that are cut: a real PostgreSQL, and the scripted SQL Server. */
import { Client } from "pg";
import { ScriptedSqlServer } from "../../development/testbed/scripted-sql-server/server";
import { DatabaseServer } from "../on-server/migrate/migrator";
import type { CutDatabase } from "./cut-releases";

/** What the base stack calls the database: by application and environment. */
const NAME = "socialgoal_local";

const SCHEMA = `SELECT table_name, column_name, data_type, is_nullable, column_default
  FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position`;
const JOURNAL = "SELECT number, name, phase, sha256, status FROM bluegreen_migrations ORDER BY number";

export async function postgres(): Promise<CutDatabase> {
  const server = await DatabaseServer.start();
  const reference = await server.newDatabase();
  const url = new URL(reference.url);

  async function rows<Row extends object>(sql: string): Promise<Row[]> {
    url.pathname = `/${NAME}`;
    const client = new Client({ connectionString: url.href });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  return {
    platform: "postgres",
    port: Number(url.port),
    server: (port) => {
      const relayed = new URL(reference.url);
      relayed.port = String(port);
      relayed.pathname = "/postgres";
      return { variable: "PG_URL", address: relayed.href };
    },
    named: (table) => table,
    journal: async () => {
      const found = await rows<{ name: string; status: string }>(JOURNAL);
      return found.map(({ name, status }) => `${name} ${status}`);
    },
    has: async (table, id) => {
      const [found] = await rows<{ there: boolean }>(`SELECT to_regclass('${table}') IS NOT NULL AS there`);
      if (found?.there !== true) return false;
      return (await rows(`SELECT 1 FROM ${table} WHERE id = ${id}`)).length === 1;
    },
    expectAsUndisturbed: async (scripts) => {
      expect(await reference.run(scripts)).toMatchObject({ exitCode: 0 });
      expect(await rows(SCHEMA)).toEqual(await reference.rows(SCHEMA));
      expect(await rows(JOURNAL)).toEqual(await reference.rows(JOURNAL));
      const tables = await reference.rows<{ name: string }>(
        "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relname LIKE 't_%' AND relnamespace = 'public'::regnamespace",
      );
      expect(tables.length).toBeGreaterThan(0);
      for (const { name } of tables) {
        const content = `SELECT id FROM ${name} ORDER BY id`;
        expect(await rows(content)).toEqual(await reference.rows(content));
      }
      expect(await rows("SELECT 1 FROM pg_prepared_xacts")).toEqual([]);
    },
    close: async () => {
      await reference.close();
      server.stop();
    },
  };
}

export async function sqlServer(): Promise<CutDatabase> {
  const server = await ScriptedSqlServer.start();
  const named = (table: string): string => `dbo.${table}`;
  return {
    platform: "mssql",
    port: server.port,
    server: (port) => ({
      variable: "MSSQL_URL",
      address: `mssql://sa:secret@127.0.0.1:${port}?trustServerCertificate=true`,
    }),
    named,
    journal: () => {
      const rows = [...server.data.journal.values()].sort((one, other) => one.number - other.number);
      return Promise.resolve(rows.map(({ name, status }) => `${name} ${status}`));
    },
    has: (table, id) =>
      Promise.resolve(server.data.committed.includes(`INSERT INTO ${named(table)} VALUES (${id})`)),
    expectAsUndisturbed: (scripts) => {
      const statements = Object.values(scripts).flatMap((sql) =>
        sql.split("\n").filter((line) => line !== "" && !line.startsWith("--")),
      );
      expect(server.data.committed.map((statement) => `${statement};`)).toEqual(statements);
      expect([...server.data.journal.keys()].sort()).toEqual(Object.keys(scripts).sort());
      expect(server.problems).toEqual([]);
      return Promise.resolve();
    },
    close: () => server.close(),
  };
}
