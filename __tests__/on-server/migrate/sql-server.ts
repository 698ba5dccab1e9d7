/** A real SQL Server, which MSSQL_URL names: a database for each test, made and removed again. */
import { randomBytes } from "node:crypto";
import { databaseOnServer } from "../../../release/migrations/database-address";
import type { MssqlAddress } from "../../../release/migrations/database-address";
import { MssqlSession } from "../../../on-server/migrate/databases/mssql-session";
import { TSQL } from "./kits";
import type { Kit, MigratedDatabase } from "./kits";
import { Operations } from "./operations";

export function sqlServerKit(url: string): Kit {
  return {
    words: TSQL,
    newDatabase: () => SqlServerDatabase.start(url),
    stop: () => Promise.resolve(),
  };
}

/** `master` makes and removes the databases, and ends the migrator's sessions. */
const ADMIN = "master";

class SqlServerDatabase extends Operations implements MigratedDatabase {
  private constructor(
    private readonly name: string,
    private readonly url: string,
    private readonly admin: MssqlSession,
    private readonly session: MssqlSession,
  ) {
    super(url);
  }

  static async start(url: string): Promise<SqlServerDatabase> {
    const name = `t_${randomBytes(6).toString("hex")}`;
    const { server, address } = databaseOnServer(url, name, "mssql");
    const login = server as MssqlAddress;
    const admin = await open({ ...login, database: ADMIN });
    await admin.run(`CREATE DATABASE [${name}]`);
    await admin.run(`ALTER DATABASE [${name}] SET READ_COMMITTED_SNAPSHOT ON`);
    return new SqlServerDatabase(name, address, admin, await open({ ...login, database: name }));
  }

  async journal(): Promise<string[]> {
    const rows = await this.session.ask("SELECT name, status FROM dbo.bluegreen_migrations ORDER BY number");
    return rows.map(({ name, status }) => `${String(name)} ${String(status)}`);
  }

  async journalIfThere(): Promise<string[]> {
    return (await this.has("bluegreen_migrations")) ? this.journal() : [];
  }

  async count(table: string): Promise<number> {
    const [row] = await this.session.ask(`SELECT COUNT(*) AS count FROM dbo.${table}`);
    return Number(row?.["count"]);
  }

  async has(table: string): Promise<boolean> {
    const [row] = await this.session.ask("SELECT OBJECT_ID(@name) AS id", { name: `dbo.${table}` });
    return row?.["id"] !== null;
  }

  async drop(table: string): Promise<void> {
    await this.session.run(`DROP TABLE dbo.${table}`);
  }

  committed(): null {
    return null;
  }

  async cut(): Promise<void> {
    const rows = await this.admin.ask(
      "SELECT session_id AS id FROM sys.dm_exec_sessions WHERE database_id = DB_ID(@name) AND session_id <> @own AND program_name = 'bluegreen-migrate'",
      { name: this.name, own: await this.spid(this.session) },
    );
    for (const { id } of rows) await this.admin.run(`KILL ${Number(id)}`);
  }

  get target(): { readonly host: string; readonly port: number } {
    const { hostname, port } = new URL(this.url);
    return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port || 1433) };
  }

  addressAt(port: number): string {
    const url = new URL(this.url);
    return url.href.replace(url.host, `127.0.0.1:${port}`);
  }

  async close(): Promise<void> {
    this.end();
    await this.session.close();
    await this.admin.run(`ALTER DATABASE [${this.name}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE`);
    await this.admin.run(`DROP DATABASE [${this.name}]`);
    await this.admin.close();
  }

  private async spid(session: MssqlSession): Promise<number> {
    const [row] = await session.ask("SELECT @@SPID AS id");
    return Number(row?.["id"]);
  }
}

function open({ user, password, ...login }: MssqlAddress): Promise<MssqlSession> {
  return MssqlSession.open({ ...login, authentication: () => Promise.resolve({ user, password }) });
}
