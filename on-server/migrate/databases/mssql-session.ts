/** One connection to SQL Server or Azure SQL, with the settings of Microsoft's tools. */
import { isIP } from "node:net";
import { Connection, Request, TYPES } from "tedious";
import type { ConnectionConfiguration } from "tedious";
import { InvalidInput } from "../../../release/failure";
import { OutOfReach } from "../identity";
import { LOCK_TIMEOUT_MS, LoginRefused, SessionLost } from "./database";
import { answered, closed } from "./deadline";
import { connectEncrypted } from "./encrypted-connector";
import type { EncryptionOptions } from "./encrypted-connector";
import { errorText } from "./error-text";
import type { LockingSession } from "./locks";
import { faultOf, isTransientLogin } from "./mssql-errors";
import { EncryptionRefused } from "./prelogin-guard";

const DEFAULT_PORT = 1433;
const CONNECT_MS = 60_000;

/** A deployment must not depend on a login's defaults. */
const SETTINGS = `SET XACT_ABORT ON; SET LOCK_TIMEOUT ${LOCK_TIMEOUT_MS}; SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON;
SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; SET CONCAT_NULL_YIELDS_NULL ON; SET NUMERIC_ROUNDABORT OFF;
SET IMPLICIT_TRANSACTIONS OFF; SET NOCOUNT OFF; SET ROWCOUNT 0;`;

export interface MssqlLogin {
  readonly server: string;
  readonly port?: number;
  readonly database: string;
  /** An Entra access token, or a server login. */
  readonly authentication: () => Promise<
    { readonly token: string } | { readonly user: string; readonly password: string }
  >;
  /** `strict`: TDS 8.0, or no connection. @default "required": the strictest that the server has, never none */
  readonly encryption?: "required" | "strict";
  /** Accepts a self-signed certificate: for a server on this machine only. */
  readonly trustServerCertificate: boolean;
}

type Value = string | number | null;

/** An error that the server sent. */
interface ServerError {
  readonly number: number;
  readonly message: string;
}

export class MssqlSession implements LockingSession {
  private hasEnded = false;
  /** The driver takes one request at a time. */
  private before: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly connection: Connection,
    private readonly database: string,
  ) {
    connection.on("end", () => (this.hasEnded = true));
    // The running request fails, too, and reports it. Without a listener, the event would end the process.
    connection.on("error", () => undefined);
  }

  /**
   * @throws SessionLost if no session can be opened now. @throws EncryptionRefused if the server does not encrypt.
   * @throws LoginRefused if the login is refused.
   */
  static async open(login: MssqlLogin): Promise<MssqlSession> {
    const { server, port = DEFAULT_PORT, ...how } = login;
    const serverErrors: ServerError[] = [];
    let session: MssqlSession;
    try {
      session = await connectEncrypted({ host: server, port, ...how }, async (options) =>
        MssqlSession.connect(login, await configuration(login, options), serverErrors),
      );
    } catch (error) {
      if (error instanceof InvalidInput || error instanceof EncryptionRefused || error instanceof OutOfReach)
        throw error;
      // The driver's error has only the last one, which mostly has no reason.
      const why =
        serverErrors.length === 0 ? errorText(error) : serverErrors.map(({ message }) => message).join("; ");
      const message = `the database can't be reached: ${why}`;
      if (serverErrors.length > 0 && !isTransientLogin(serverErrors.map(({ number }) => number)))
        throw new LoginRefused(message);
      throw new SessionLost(message);
    }
    try {
      await session.settle();
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** @param serverErrors collects the errors that the server sends when it refuses the login. */
  private static async connect(
    login: MssqlLogin,
    configuration: ConnectionConfiguration,
    serverErrors: ServerError[],
  ): Promise<MssqlSession> {
    const connection = new Connection(configuration);
    const session = new MssqlSession(connection, login.database);
    connection.on("errorMessage", (error: ServerError) => void serverErrors.push(error));
    try {
      await new Promise<void>((resolve, reject) => {
        connection.connect((error) => (error === undefined || error === null ? resolve() : reject(error)));
      });
      return session;
    } catch (error) {
      session.abandon();
      throw error;
    } finally {
      connection.removeAllListeners("errorMessage");
    }
  }

  /** Restores the settings of a new session, and selects the login's database. */
  async settle(): Promise<void> {
    const name = this.database.replaceAll("]", "]]");
    const literal = this.database.replaceAll("'", "''");
    await this.ask(`IF DB_NAME() <> N'${literal}' USE [${name}];\n${SETTINGS}`);
  }

  /** Runs one of the migrator's statements, in turn. Without a quick answer the session counts as lost. */
  ask(sql: string, values: Readonly<Record<string, Value>> = {}): Promise<Record<string, unknown>[]> {
    const answer = this.before.then(() => this.answer(sql, values));
    this.before = answer.catch(() => undefined);
    return answer;
  }

  private async answer(
    sql: string,
    values: Readonly<Record<string, Value>>,
  ): Promise<Record<string, unknown>[]> {
    const rows: Record<string, unknown>[] = [];
    const onRow = (columns: { metadata: { colName: string }; value: unknown }[]): void => {
      rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])));
    };
    const answer = new Promise<void>((resolve, reject) => {
      const request = newRequest(sql, resolve, reject);
      request.on("row", onRow);
      for (const [name, value] of Object.entries(values)) {
        request.addParameter(name, typeof value === "number" ? TYPES.Int : TYPES.NVarChar, value);
      }
      if (Object.keys(values).length === 0) this.connection.execSqlBatch(request);
      else this.connection.execSql(request);
    });
    try {
      await answered(answer, () => this.abandon());
    } catch (error) {
      if (!(error instanceof SessionLost)) faultOf(error);
      throw error;
    }
    return rows;
  }

  /** Runs a script's batch, without a time limit, as Microsoft's tools send it: CREATE PROCEDURE must be first in its batch. */
  run(batch: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.connection.execSqlBatch(newRequest(batch, resolve, reject));
    });
  }

  async close(): Promise<void> {
    if (this.hasEnded) return;
    await closed(
      new Promise<void>((resolve) => {
        this.connection.once("end", () => resolve());
        this.connection.close();
      }),
    );
  }

  async tryLock(name: string): Promise<boolean> {
    const rows = await this.ask(
      `DECLARE @result int;
       EXEC @result = sp_getapplock @Resource = N'${name}', @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0;
       SELECT @result AS result;`,
    );
    return Number(rows[0]?.["result"]) >= 0;
  }

  async unlock(name: string): Promise<void> {
    await this.ask(`EXEC sp_releaseapplock @Resource = N'${name}', @LockOwner = 'Session'`);
  }

  async ping(): Promise<void> {
    await this.ask("SELECT 1 AS alive");
  }

  /** Closes the connection: the server rolls back what was not committed. */
  abandon(): void {
    if (!this.hasEnded) this.connection.close();
    this.hasEnded = true;
  }
}

function newRequest(sql: string, resolve: () => void, reject: (error: unknown) => void): Request {
  return new Request(sql, (error) => (error === undefined || error === null ? resolve() : reject(error)));
}

async function configuration(
  { server, port = DEFAULT_PORT, database, authentication }: MssqlLogin,
  encryption: EncryptionOptions,
): Promise<ConnectionConfiguration> {
  const given = await authentication();
  return {
    server,
    authentication:
      "token" in given
        ? { type: "azure-active-directory-access-token", options: { token: given.token } }
        : { type: "default", options: { userName: given.user, password: given.password } },
    options: {
      ...encryption,
      // TLS has only names as server names, and Node warns about an address.
      ...(encryption.trustServerCertificate && isIP(server) !== 0 ? { serverName: "localhost" } : {}),
      port,
      database,
      appName: "bluegreen-migrate",
      connectTimeout: CONNECT_MS,
      // No limit for a script; the step's time limit ends it.
      requestTimeout: 0,
      rowCollectionOnRequestCompletion: false,
    },
  };
}
