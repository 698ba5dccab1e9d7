/** One connection to PostgreSQL, with a migration's settings instead of the database's or the login's. */
import { createHash } from "node:crypto";
import { Client, DatabaseError } from "pg";
import type { QueryResult, QueryResultRow } from "pg";
import { isThisMachine } from "../../../release/this-machine";
import { LOCK_TIMEOUT_MS, LoginRefused, SessionLost } from "./database";
import { answered, closed } from "./deadline";
import { errorText } from "./error-text";
import type { LockingSession } from "./locks";

const CONNECT_MS = 15_000;
const KEEP_ALIVE_MS = 30_000;

/** admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout; class 08: connection exceptions. */
const LOST = /^(57P0[1-5]|08...)$/;
/** Class 53: too many connections, no memory, a full disk. */
const BUSY = /^53...$/;

/**
 * Set when the session starts, so that a script's RESET ALL restores them. Statements have no time limit but the step's.
 */
const SETTINGS = {
  statement_timeout: 0,
  lock_timeout: LOCK_TIMEOUT_MS,
  idle_in_transaction_session_timeout: 0,
};

/**
 * A session without its client ends within a second, instead of holding its locks until its statement ends (from 14). No
 * limit of the database or the login ends a session that works or waits (from 14 and 17).
 */
const SETTINGS_OF_NEWER_SERVERS = `SELECT set_config(known.name, asked.wanted, false) FROM pg_settings AS known
  JOIN (VALUES ('client_connection_check_interval', '1000'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'))
    AS asked (name, wanted) ON known.name = asked.name`;

export class PostgresSession implements LockingSession {
  private hasEnded = false;

  private constructor(private readonly client: Client) {}

  /**
   * @param url as in `postgres://user:password@host/database`. @throws SessionLost if no session can be opened now.
   * @throws LoginRefused if the login is refused.
   */
  static async open(url: string): Promise<PostgresSession> {
    const client = new Client({
      ...connectionOf(url),
      application_name: "bluegreen-migrate",
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    });
    const session = new PostgresSession(client);
    // The running query fails, too, and reports it. Without a listener, the event would end the process.
    client.on("error", () => undefined);
    client.on("end", () => (session.hasEnded = true));
    try {
      await client.connect();
    } catch (error) {
      session.abandon();
      const message = `the database can't be reached: ${errorText(error)}${adviceOn(error)}`;
      const { code = "" } = error instanceof DatabaseError ? error : {};
      if (error instanceof DatabaseError && !LOST.test(code) && !BUSY.test(code))
        throw new LoginRefused(message);
      throw new SessionLost(message);
    }
    try {
      await session.ask(SETTINGS_OF_NEWER_SERVERS);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** Runs one of the migrator's statements. Without a quick answer the session counts as lost. */
  async ask<Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await answered(this.query<Row>(sql, values), () => this.abandon())).rows;
  }

  /** @throws DatabaseError the server's error. @throws SessionLost if the connection was lost. */
  async query<Row extends QueryResultRow>(
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<QueryResult<Row>> {
    try {
      return values.length === 0
        ? await this.client.query<Row>(sql)
        : await this.client.query<Row>(sql, [...values]);
    } catch (error) {
      if (error instanceof DatabaseError && !LOST.test(error.code ?? "")) throw error;
      throw new SessionLost(`the connection to the database was lost: ${errorText(error)}`);
    }
  }

  get isInTransaction(): boolean {
    return this.client.getTransactionStatus() !== "I";
  }

  async close(): Promise<void> {
    if (this.hasEnded) return;
    await closed(this.client.end());
    this.abandon();
  }

  async tryLock(name: string): Promise<boolean> {
    const [row] = await this.ask<{ got: boolean }>("SELECT pg_try_advisory_lock($1) AS got", [lockKey(name)]);
    return row?.got === true;
  }

  async unlock(name: string): Promise<void> {
    await this.ask("SELECT pg_advisory_unlock($1)", [lockKey(name)]);
  }

  async ping(): Promise<void> {
    await this.ask("SELECT 1 AS alive");
  }

  /** Drops the connection without a message: the server rolls back what was not committed. */
  abandon(): void {
    this.hasEnded = true;
    (this.client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }
}

/**
 * Adds the settings to the address's options. Over a network the connection is encrypted and the server's certificate is
 * verified, unless the address has another `sslmode`.
 */
function connectionOf(address: string): { connectionString: string; ssl?: boolean; options?: string } {
  const url = new URL(address);
  const given = url.searchParams.get("options") ?? "";
  url.searchParams.delete("options");
  const options = [given, ...Object.entries(SETTINGS).map(([name, value]) => `-c ${name}=${value}`)];
  const local = url.hostname === "" || isThisMachine(url.hostname);
  return {
    connectionString: url.href,
    options: options.join(" ").trim(),
    ...(local || url.searchParams.has("sslmode") || url.searchParams.has("ssl") ? {} : { ssl: true }),
  };
}

/** A number that no other program uses. */
function lockKey(name: string): string {
  return createHash("sha256").update(name).digest().readBigInt64BE().toString();
}

function adviceOn(error: unknown): string {
  if (!/does not support SSL/.test(errorText(error))) return "";
  return "; in a trusted network, `?sslmode=disable` at the end of the address turns off encryption";
}
