/** PostgreSQL: one session with an advisory lock that the server lets go of when the session ends, however it ends. */
import { createHash } from "node:crypto";
import { Client, DatabaseError } from "pg";
import type { Script } from "../../../release/migrations/scripts";
import { statements } from "../../../release/migrations/sql-text";
import { JOURNAL, LOCK_TIMEOUT_MS, ScriptFailed } from "./database";
import type { Database, JournalRow } from "./database";

/** lock_not_available, deadlock_detected, serialization_failure */
const PASSING = new Set(["55P03", "40P01", "40001"]);
/** Any number that nothing else takes; the same for everybody who migrates this database. */
const LOCK_KEY = createHash("sha256")
  .update("cdktf-bluegreen migrations")
  .digest()
  .readBigInt64BE()
  .toString();

export class PostgresDatabase implements Database {
  readonly dialect = "postgres";
  /** With its schema: a script may set another search path. */
  private journalTable = "";

  private constructor(private readonly client: Client) {}

  static async connect(url: string): Promise<PostgresDatabase> {
    const client = new Client({
      connectionString: url,
      application_name: "bluegreen-migrate",
      connectionTimeoutMillis: 15_000,
      keepAlive: true,
    });
    // A session that ends makes its running query fail, which says so; without a listener it would end the process.
    client.on("error", () => undefined);
    await client.connect();
    const database = new PostgresDatabase(client);
    const { rows } = await client.query<{ name: string }>("SELECT format('%I', current_schema()) AS name");
    database.journalTable = `${rows[0]!.name}.${JOURNAL}`;
    return database;
  }

  async lock(waitSeconds: number): Promise<boolean> {
    await this.client.query("SELECT set_config('lock_timeout', $1, false)", [`${waitSeconds}s`]);
    try {
      await this.client.query("SELECT pg_advisory_lock($1)", [LOCK_KEY]);
    } catch (error) {
      if (error instanceof DatabaseError && error.code === "55P03") return false;
      throw error;
    }
    await this.client.query("SELECT set_config('lock_timeout', $1, false)", [`${LOCK_TIMEOUT_MS}ms`]);
    return true;
  }

  async prepareJournal(): Promise<void> {
    await this.client.query(
      `CREATE TABLE IF NOT EXISTS ${this.journalTable} (
         number int PRIMARY KEY, name text NOT NULL UNIQUE, phase text NOT NULL, sha256 text NOT NULL,
         release text NOT NULL, started timestamptz NOT NULL, finished timestamptz,
         status text NOT NULL CHECK (status IN ('applied', 'running')))`,
    );
  }

  async journal(): Promise<JournalRow[]> {
    const { rows: found } = await this.client.query<{ there: boolean }>(
      "SELECT to_regclass($1) IS NOT NULL AS there",
      [this.journalTable],
    );
    if (found[0]?.there !== true) return [];
    const { rows } = await this.client.query<JournalRow>(
      `SELECT number, name, phase, sha256, release, to_json(started)#>>'{}' AS started,
              to_json(finished)#>>'{}' AS finished, status
         FROM ${this.journalTable} ORDER BY number`,
    );
    return rows;
  }

  async applyInTransaction(script: Script, release: string): Promise<void> {
    await this.client.query("BEGIN");
    try {
      await this.client.query("SELECT set_config('lock_timeout', $1, true)", [`${LOCK_TIMEOUT_MS}ms`]);
      await this.insert(script, release, "running");
      await this.execute(script, script.sql, 1);
      // What a script set for its session is not for the next one.
      await this.client.query("RESET ALL");
      await this.markApplied(script.name);
      await this.client.query("COMMIT");
    } catch (error) {
      await this.client.query("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  async applyWithoutTransaction(script: Script, release: string): Promise<void> {
    await this.insert(script, release, "running");
    // Several statements in one message would be one transaction.
    for (const { text, line } of statements(script.sql)) await this.execute(script, text, line);
    await this.client.query("RESET ALL");
    await this.markApplied(script.name);
  }

  async resolve(name: string, as: "applied" | "pending"): Promise<boolean> {
    const where = `WHERE name = $1 AND status = 'running'`;
    const sql =
      as === "pending"
        ? `DELETE FROM ${this.journalTable} ${where}`
        : `UPDATE ${this.journalTable} SET status = 'applied', finished = clock_timestamp() ${where}`;
    const { rowCount } = await this.client.query(sql, [name]);
    return rowCount === 1;
  }

  isPassing(error: unknown): boolean {
    const cause = error instanceof ScriptFailed ? error.cause : error;
    return cause instanceof DatabaseError && PASSING.has(cause.code ?? "");
  }

  async close(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }

  private async insert(
    { number, name, phase, sha256 }: Script,
    release: string,
    status: string,
  ): Promise<void> {
    await this.client.query(
      `INSERT INTO ${this.journalTable} (number, name, phase, sha256, release, started, status)
       VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6)`,
      [number, name, phase, sha256, release, status],
    );
  }

  private async markApplied(name: string): Promise<void> {
    const { rowCount } = await this.client.query(
      `UPDATE ${this.journalTable} SET status = 'applied', finished = clock_timestamp() WHERE name = $1`,
      [name],
    );
    if (rowCount !== 1) throw new Error(`${name} removed its own row from ${this.journalTable}`);
  }

  private async execute({ name }: Script, text: string, firstLine: number): Promise<void> {
    try {
      await this.client.query(text);
    } catch (error) {
      const position = error instanceof DatabaseError ? Number(error.position ?? NaN) : NaN;
      const line = Number.isNaN(position)
        ? null
        : firstLine + text.slice(0, position - 1).split("\n").length - 1;
      throw new ScriptFailed(name, line, error);
    }
  }
}
