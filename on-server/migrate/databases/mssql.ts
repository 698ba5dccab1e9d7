/** SQL Server and Azure SQL: one session with an application lock, batches as `GO` parts them. */
import { Connection, Request, TYPES } from "tedious";
import type { ConnectionConfiguration } from "tedious";
import type { Script } from "../../../release/migrations/scripts";
import { batches } from "../../../release/migrations/sql-text";
import { JOURNAL, LOCK_TIMEOUT_MS, ScriptFailed } from "./database";
import type { Database, JournalRow } from "./database";

/** Lock request time-out, chosen as deadlock victim, snapshot conflict, Azure SQL busy or being moved. */
const PASSING = new Set([1222, 1205, 3960, 40501, 40613, 49918]);
const TABLE = `dbo.${JOURNAL}`;
const APPLICATION_LOCK = "cdktf-bluegreen migrations";
const CONNECT_MS = 60_000;

/** What makes a session read SQL as SQL Server's own tools do; the deployment must not depend on a login's defaults. */
const SETTINGS = `SET XACT_ABORT ON; SET LOCK_TIMEOUT ${LOCK_TIMEOUT_MS}; SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON;
SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; SET CONCAT_NULL_YIELDS_NULL ON; SET NUMERIC_ROUNDABORT OFF;
SET IMPLICIT_TRANSACTIONS OFF; SET NOCOUNT OFF; SET ROWCOUNT 0;`;

export interface MssqlLogin {
  readonly server: string;
  readonly port?: number;
  readonly database: string;
  /** An Entra access token, or a login of the server. */
  readonly authentication: { readonly token: string } | { readonly user: string; readonly password: string };
  /** Only a server on this machine may show a certificate that nobody signed. */
  readonly trustServerCertificate: boolean;
}

type Value = string | number | null;

export class MssqlDatabase implements Database {
  readonly dialect = "mssql";

  private constructor(
    private readonly connection: Connection,
    private readonly database: string,
  ) {}

  static async connect(login: MssqlLogin): Promise<MssqlDatabase> {
    const connection = new Connection(configuration(login));
    connection.on("error", () => undefined);
    await new Promise<void>((resolve, reject) => {
      connection.connect((error) => (error === undefined || error === null ? resolve() : reject(error)));
    });
    const database = new MssqlDatabase(connection, login.database);
    await database.batch(SETTINGS);
    return database;
  }

  async lock(waitSeconds: number): Promise<boolean> {
    const rows = await this.query(
      `DECLARE @result int;
       EXEC @result = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = @wait;
       SELECT @result AS result;`,
      { resource: APPLICATION_LOCK, wait: waitSeconds * 1000 },
    );
    return Number(rows[0]?.["result"]) >= 0;
  }

  async prepareJournal(): Promise<void> {
    await this.batch(
      `IF OBJECT_ID(N'${TABLE}') IS NULL
       CREATE TABLE ${TABLE} (number int NOT NULL PRIMARY KEY, name nvarchar(128) NOT NULL UNIQUE, phase varchar(10) NOT NULL,
         sha256 char(64) NOT NULL, release nvarchar(64) NOT NULL, started datetime2 NOT NULL, finished datetime2 NULL,
         status varchar(10) NOT NULL CHECK (status IN ('applied', 'running')));`,
    );
  }

  async journal(): Promise<JournalRow[]> {
    const [found] = await this.query(`SELECT OBJECT_ID(N'${TABLE}') AS id`, {});
    if (found?.["id"] === null) return [];
    const rows = await this.query(
      `SELECT number, name, phase, sha256, release, CONVERT(varchar(33), started, 126) + 'Z' AS started,
              CONVERT(varchar(33), finished, 126) + 'Z' AS finished, status
         FROM ${TABLE} ORDER BY number`,
      {},
    );
    return rows as unknown as JournalRow[];
  }

  async applyInTransaction(script: Script, release: string): Promise<void> {
    await this.batch("BEGIN TRANSACTION");
    try {
      await this.insert(script, release);
      await this.execute(script);
      const [state] = await this.query("SELECT @@TRANCOUNT AS depth", {});
      if (Number(state?.["depth"]) !== 1) {
        throw new Error(
          `${script.name} ended the transaction it ran in: leave out COMMIT and ROLLBACK, or say -- no-transaction`,
        );
      }
      await this.reset();
      await this.markApplied(script.name);
      await this.batch("COMMIT TRANSACTION");
    } catch (error) {
      await this.batch("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION").catch(() => undefined);
      await this.reset().catch(() => undefined);
      throw error;
    }
  }

  async applyWithoutTransaction(script: Script, release: string): Promise<void> {
    await this.insert(script, release);
    await this.execute(script);
    await this.reset();
    await this.markApplied(script.name);
  }

  async resolve(name: string, as: "applied" | "pending"): Promise<boolean> {
    const where = `WHERE name = @name AND status = 'running'`;
    const change =
      as === "pending"
        ? `DELETE FROM ${TABLE} ${where}`
        : `UPDATE ${TABLE} SET status = 'applied', finished = SYSUTCDATETIME() ${where}`;
    const [row] = await this.query(`${change}; SELECT @@ROWCOUNT AS changed`, { name });
    return Number(row?.["changed"]) === 1;
  }

  isPassing(error: unknown): boolean {
    const cause = error instanceof ScriptFailed ? error.cause : error;
    return cause instanceof Error && "number" in cause && PASSING.has(Number(cause.number));
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.connection.once("end", () => resolve());
      this.connection.close();
    });
  }

  private async insert({ number, name, phase, sha256 }: Script, release: string): Promise<void> {
    await this.query(
      `INSERT INTO ${TABLE} (number, name, phase, sha256, release, started, status)
       VALUES (@number, @name, @phase, @sha256, @release, SYSUTCDATETIME(), 'running')`,
      { number, name, phase, sha256, release },
    );
  }

  private async markApplied(name: string): Promise<void> {
    const [row] = await this.query(
      `UPDATE ${TABLE} SET status = 'applied', finished = SYSUTCDATETIME() WHERE name = @name; SELECT @@ROWCOUNT AS changed`,
      { name },
    );
    if (Number(row?.["changed"]) !== 1) throw new Error(`${name} removed its own row from ${TABLE}`);
  }

  private async execute({ name, sql }: Script): Promise<void> {
    for (const { text, line, repeat } of batches(sql)) {
      for (let time = 0; time < repeat; time += 1) {
        await this.batch(text).catch((error: unknown) => {
          const within = error instanceof Error && "lineNumber" in error ? Number(error.lineNumber) : 1;
          throw new ScriptFailed(name, line + within - 1, error);
        });
      }
    }
  }

  /** What a script set for its session, another database included, is not for the next one. */
  private async reset(): Promise<void> {
    const name = this.database.replaceAll("]", "]]");
    await this.batch(`IF DB_NAME() <> N'${this.database.replaceAll("'", "''")}' USE [${name}];\n${SETTINGS}`);
  }

  private batch(sql: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = new Request(sql, (error) =>
        error === undefined || error === null ? resolve() : reject(error),
      );
      // As sent by SQL Server's own tools: CREATE PROCEDURE must be first in its batch.
      this.connection.execSqlBatch(request);
    });
  }

  private query(sql: string, values: Readonly<Record<string, Value>>): Promise<Record<string, unknown>[]> {
    return new Promise((resolve, reject) => {
      const rows: Record<string, unknown>[] = [];
      const request = new Request(sql, (error) =>
        error === undefined || error === null ? resolve(rows) : reject(error),
      );
      for (const [name, value] of Object.entries(values)) {
        request.addParameter(name, typeof value === "number" ? TYPES.Int : TYPES.NVarChar, value);
      }
      request.on("row", (columns: { metadata: { colName: string }; value: unknown }[]) => {
        rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])));
      });
      this.connection.execSql(request);
    });
  }
}

function configuration(login: MssqlLogin): ConnectionConfiguration {
  const { server, port, database, authentication, trustServerCertificate } = login;
  return {
    server,
    authentication:
      "token" in authentication
        ? { type: "azure-active-directory-access-token", options: { token: authentication.token } }
        : { type: "default", options: { userName: authentication.user, password: authentication.password } },
    options: {
      database,
      encrypt: true,
      trustServerCertificate,
      appName: "bluegreen-migrate",
      connectTimeout: CONNECT_MS,
      // A script takes as long as it takes; the step's time limit ends it.
      requestTimeout: 0,
      rowCollectionOnRequestCompletion: false,
      ...(port === undefined ? {} : { port }),
    },
  };
}
