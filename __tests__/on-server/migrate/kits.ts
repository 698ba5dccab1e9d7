/** What the promises of a migration need of a database to be tried on it. */
import { ScriptedSqlServer } from "../../../development/testbed/scripted-sql-server/server";
import { DatabaseServer } from "./migrator";
import { Operations } from "./operations";

/** One thing in each dialect's words. */
export interface Words {
  create(table: string): string;
  insert(table: string): string;
  /** Names a table that is not there. */
  readonly failing: string;
  readonly failure: RegExp;
  /** In whole seconds, below ten. */
  sleep(seconds: number): string;
  /** Of this session only, and so the next script must not see it. */
  readonly temporary: { readonly create: string; readonly use: string };
  /** The session becomes a user who may do nothing with the journal. */
  readonly become: string;
  readonly begin: string;
  /** An address at which nothing listens. */
  readonly unreachable: string;
}

export interface MigratedDatabase extends Operations {
  /** Name and status of each script that the journal knows. */
  journal(): Promise<string[]>;
  /** The same, where the journal may not be there yet. */
  journalIfThere(): Promise<string[]>;
  count(table: string): Promise<number>;
  has(table: string): Promise<boolean>;
  /** Ends each connection that the migrator has, from the server's side. */
  cut(): Promise<void>;
  /** By a person's hand. */
  drop(table: string): Promise<void>;
  /** The statements of scripts that were committed; null where the server does not keep them. */
  committed(): readonly string[] | null;
  /** Where the server listens. */
  readonly target: { readonly host: string; readonly port: number };
  /** The database's address, reached through a relay there. */
  addressAt(port: number): string;
  close(): Promise<void>;
}

export interface Kit {
  readonly words: Words;
  newDatabase(): Promise<MigratedDatabase>;
  stop(): Promise<void>;
}

export async function postgresKit(): Promise<Kit> {
  const server = await DatabaseServer.start();
  const stranger = "bluegreen_stranger";
  return {
    words: {
      create: (table) => `CREATE TABLE ${table} (id int)`,
      insert: (table) => `INSERT INTO ${table} VALUES (1)`,
      failing: "INSERT INTO nowhere VALUES (1)",
      failure: /relation "nowhere" does not exist/,
      sleep: (seconds) => `SELECT pg_sleep(${seconds})`,
      temporary: { create: "CREATE TEMPORARY TABLE scratch (id int)", use: "INSERT INTO scratch VALUES (1)" },
      become: `SET ROLE ${stranger}`,
      begin: "BEGIN",
      unreachable: "postgres://a:b@127.0.0.1:1/shop",
    },
    newDatabase: async () => {
      const database = await server.newDatabase();
      await database.rows(
        `DO $$ BEGIN CREATE ROLE ${stranger}; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
      );
      const has = async (table: string): Promise<boolean> =>
        (await database.rows("SELECT 1 FROM pg_class WHERE relname = $1", [table])).length === 1;
      return Object.assign(database, {
        has,
        journalIfThere: async () => ((await has("bluegreen_migrations")) ? database.journal() : []),
        drop: async (table: string) => void (await database.rows(`DROP TABLE ${table}`)),
        committed: () => null,
        target: { host: "127.0.0.1", port: Number(new URL(database.url).port) },
        addressAt: (port: number) => Object.assign(new URL(database.url), { port }).href,
        cut: async () => {
          await database.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bluegreen-migrate' AND datname = current_database()",
          );
        },
      });
    },
    stop: () => Promise.resolve(server.stop()),
  };
}

export const TSQL: Words = {
  create: (table) => `CREATE TABLE dbo.${table} (id int)`,
  insert: (table) => `INSERT INTO dbo.${table} VALUES (1)`,
  failing: "INSERT INTO dbo.nowhere VALUES (1)",
  failure: /Invalid object name '(dbo\.)?nowhere'/,
  sleep: (seconds) => `WAITFOR DELAY '00:00:0${seconds}'`,
  temporary: { create: "CREATE TABLE #scratch (id int)", use: "INSERT INTO #scratch VALUES (1)" },
  become: "EXECUTE AS USER = 'guest'",
  begin: "BEGIN TRANSACTION",
  unreachable: "mssql://a:b@127.0.0.1:1/shop?trustServerCertificate=true",
};

export class ScriptedDatabase extends Operations implements MigratedDatabase {
  private constructor(readonly server: ScriptedSqlServer) {
    super(server.address());
  }

  static async start(options?: Parameters<typeof ScriptedSqlServer.start>[0]): Promise<ScriptedDatabase> {
    return new ScriptedDatabase(await ScriptedSqlServer.start(options));
  }

  journal(): Promise<string[]> {
    const rows = [...this.server.data.journal.values()].sort((one, other) => one.number - other.number);
    return Promise.resolve(rows.map(({ name, status }) => `${name} ${status}`));
  }

  count(table: string): Promise<number> {
    return Promise.resolve(this.server.data.rows.get(table) ?? NaN);
  }

  has(table: string): Promise<boolean> {
    const { rows, hasJournal } = this.server.data;
    return Promise.resolve(table === "bluegreen_migrations" ? hasJournal : rows.has(table));
  }

  journalIfThere(): Promise<string[]> {
    return this.journal();
  }

  drop(table: string): Promise<void> {
    this.server.data.rows.delete(table);
    return Promise.resolve();
  }

  committed(): readonly string[] {
    return this.server.data.committed;
  }

  get target(): { readonly host: string; readonly port: number } {
    return { host: "127.0.0.1", port: this.server.port };
  }

  addressAt(port: number): string {
    return this.server.address("shop", port);
  }

  cut(): Promise<void> {
    this.server.disconnectAll("rst");
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.end();
    await this.server.close();
  }
}

export function scriptedKit(): Kit {
  return { words: TSQL, newDatabase: () => ScriptedDatabase.start(), stop: () => Promise.resolve() };
}

/** Those that run everywhere. */
export const EACH_DATABASE = [
  ["PostgreSQL", postgresKit],
  ["the scripted SQL Server", () => Promise.resolve(scriptedKit())],
] as const;
