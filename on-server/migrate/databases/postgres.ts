/** PostgreSQL: a transaction for each script, or single statements without one; indexes that are built concurrently. */
import { DatabaseError } from "pg";
import { efHistoryQueries } from "../../../release/migrations/ef-history";
import type { EfHistory } from "../../../release/migrations/ef-history";
import type { Script } from "../../../release/migrations/scripts";
import { statements, tokens } from "../../../release/migrations/sql-text";
import { InvalidInput } from "../../../release/failure";
import { ENDED_ITS_TRANSACTION, JOURNAL, LEFT_OPEN, ScriptFailed } from "./database";
import type { Database, JournalRow, Resolution } from "./database";
import { Locks } from "./locks";
import { concurrentIndex, INVALID_INDEXES, isConcurrent } from "./postgres-index";
import type { ConcurrentIndex } from "./postgres-index";
import { PostgresSession } from "./postgres-session";
import { MigrationRefused } from "../refusals";

/** lock_not_available, deadlock_detected, serialization_failure */
const PASSING = new Set(["55P03", "40P01", "40001"]);
/** The default schema; and the schema of the journal $1, if that is a later one in the path. */
const SCHEMAS = `SELECT quote_ident(current_schema()) AS schema, current_setting('search_path') AS path,
  (SELECT CASE WHEN n.nspname <> current_schema() THEN quote_ident(n.nspname) END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = $1 AND n.nspname = ANY (current_schemas(false))
    ORDER BY array_position(current_schemas(false), n.nspname) LIMIT 1) AS elsewhere`;

export class PostgresDatabase implements Database {
  readonly dialect = "postgres";
  private readonly locks: Locks<PostgresSession>;

  private constructor(
    url: string,
    private readonly control: PostgresSession,
    /** With its schema: a script may set another search path. */
    private readonly journalTable: string,
    private readonly say: (line: string) => void,
  ) {
    this.locks = new Locks(control, () => PostgresSession.open(url));
  }

  /** @throws InvalidInput if the login has no schema for the journal. @throws SessionLost if it can't be reached. */
  static async connect(url: string, say: (line: string) => void): Promise<PostgresDatabase> {
    const control = await PostgresSession.open(url);
    try {
      const [row] = await control.ask<{ schema: string | null; path: string; elsewhere: string | null }>(
        SCHEMAS,
        [JOURNAL],
      );
      const { schema = null, path, elsewhere } = row!;
      if (schema === null) {
        throw new InvalidInput(
          `no schema of the login's search_path (${path}) exists: create one, or set the role's search_path`,
        );
      }
      // With a second journal, all scripts would run again.
      if (elsewhere !== null) {
        throw new MigrationRefused(
          `the journal is in the schema ${elsewhere}, but the login's first schema is ${schema} now (search_path: ${path}): set the role's search_path so that ${elsewhere} comes first, or drop ${schema}`,
        );
      }
      return new PostgresDatabase(url, control, `${schema}.${JOURNAL}`, say);
    } catch (error) {
      await control.close();
      throw error;
    }
  }

  lock(waitSeconds: number, onWait: () => void): Promise<boolean> {
    return this.locks.lock(waitSeconds, onWait);
  }

  async prepareJournal(): Promise<void> {
    await this.control.ask(
      `CREATE TABLE IF NOT EXISTS ${this.journalTable} (
         number int PRIMARY KEY, name text NOT NULL UNIQUE, phase text NOT NULL, sha256 text NOT NULL,
         release text NOT NULL, started timestamptz NOT NULL, finished timestamptz,
         status text NOT NULL CHECK (status IN ('applied', 'running')))`,
    );
  }

  async journal(): Promise<JournalRow[]> {
    if (!(await this.has(this.journalTable))) return [];
    return this.control.ask<JournalRow & Record<string, unknown>>(
      `SELECT number, name, phase, sha256, release, to_json(started)#>>'{}' AS started,
              to_json(finished)#>>'{}' AS finished, status
         FROM ${this.journalTable} ORDER BY number`,
    );
  }

  async migratedByEf(history: EfHistory): Promise<ReadonlySet<string>> {
    const { exists, ids } = efHistoryQueries(history, this.dialect);
    const [table] = await this.control.ask<{ found: string | null }>(exists);
    if (table?.found === null) return new Set();
    return new Set((await this.control.ask<{ id: string }>(ids)).map(({ id }) => id));
  }

  async applyInTransaction(script: Script, release: string): Promise<void> {
    await this.locks.withSession(async (session) => {
      await session.ask("BEGIN");
      await this.insert(session, script, release, "running");
      const begun = await transactionId(session);
      await this.execute(session, script.name, { text: script.sql, line: 1 });
      if (!session.isInTransaction || (await transactionId(session)) !== begun) {
        throw new ScriptFailed(script.name, null, ENDED_ITS_TRANSACTION);
      }
      // The journal is written by the login, not by the script's role.
      await session.query("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL");
      await this.markApplied(session, script.name);
      // Deferred constraints are checked now.
      const { command } = await this.asScriptFailed(script.name, session.query("COMMIT"));
      if (command !== "COMMIT") throw new ScriptFailed(script.name, null, "the database rolled it back");
    });
  }

  async applyWithoutTransaction(script: Script, release: string): Promise<void> {
    await this.insert(this.control, script, release, "running");
    await this.locks.withSession(async (session) => {
      // Several statements in one message would be one transaction.
      for (const [index, statement] of statements(script.sql).entries()) {
        try {
          await this.executeAlone(session, script.name, statement);
        } catch (error) {
          if (!(error instanceof ScriptFailed)) throw error;
          // A single statement is atomic, so a failed first one has changed nothing.
          const changedNothing = index === 0 && !/^(DO|CALL)\b/i.test(statement.text);
          if (!changedNothing) throw error.withoutRetry();
          await this.resolve(script.name, "pending");
          throw error;
        }
      }
      if (session.isInTransaction) throw new ScriptFailed(script.name, lineOfBegin(script.sql), LEFT_OPEN);
    });
    await this.markApplied(this.control, script.name);
  }

  async recordApplied(script: Script, release: string): Promise<void> {
    await this.insert(this.control, script, release, "applied");
    await this.markApplied(this.control, script.name);
  }

  async resolve(name: string, as: Resolution): Promise<boolean> {
    if (!(await this.has(this.journalTable))) return false;
    const where = `WHERE name = $1 AND status = 'running' RETURNING name`;
    const sql =
      as === "pending"
        ? `DELETE FROM ${this.journalTable} ${where}`
        : `UPDATE ${this.journalTable} SET status = 'applied', finished = clock_timestamp() ${where}`;
    return (await this.control.ask(sql, [name])).length === 1;
  }

  close(): Promise<void> {
    return this.control.close();
  }

  private async has(table: string): Promise<boolean> {
    const [found] = await this.control.ask<{ there: boolean }>(
      "SELECT to_regclass($1) IS NOT NULL AS there",
      [table],
    );
    return found?.there === true;
  }

  private async insert(
    session: PostgresSession,
    { number, name, phase, sha256 }: Script,
    release: string,
    status: JournalRow["status"],
  ): Promise<void> {
    await session.ask(
      `INSERT INTO ${this.journalTable} (number, name, phase, sha256, release, started, status)
       VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6)`,
      [number, name, phase, sha256, release, status],
    );
  }

  private async markApplied(session: PostgresSession, name: string): Promise<void> {
    const rows = await session.ask(
      `UPDATE ${this.journalTable} SET status = 'applied', finished = clock_timestamp() WHERE name = $1 RETURNING name`,
      [name],
    );
    if (rows.length !== 1) throw new Error(`${name} removed its own row from ${this.journalTable}`);
  }

  private async executeAlone(
    session: PostgresSession,
    script: string,
    statement: { readonly text: string; readonly line: number },
  ): Promise<void> {
    if (!isConcurrent(statement.text)) {
      await this.execute(session, script, statement);
      return;
    }
    const index = concurrentIndex(statement.text);
    const left = await this.invalidIndexes(session, index);
    // An index of that name is from an interrupted attempt of this statement.
    if (index?.name !== null) await this.dropIndexes(session, script, left);
    const [before] = await session.ask<{ limit: string }>("SELECT current_setting('lock_timeout') AS limit");
    await session.ask("SELECT set_config('lock_timeout', '0', false)");
    try {
      await this.execute(session, script, statement);
    } catch (error) {
      if (error instanceof ScriptFailed) {
        const now = await this.invalidIndexes(session, index);
        await this.dropIndexes(
          session,
          script,
          index?.name === null ? now.filter((each) => !left.includes(each)) : now,
        );
      }
      throw error;
    }
    await session.ask("SELECT set_config('lock_timeout', $1, false)", [before!.limit]);
  }

  private async invalidIndexes(session: PostgresSession, index: ConcurrentIndex | null): Promise<string[]> {
    if (index === null) return [];
    const found = await session.ask<{ name: string }>(INVALID_INDEXES, [index.table, index.name]);
    return found.map(({ name }) => name);
  }

  private async dropIndexes(
    session: PostgresSession,
    script: string,
    names: readonly string[],
  ): Promise<void> {
    for (const name of names) {
      this.say(
        `${script}: the index ${name} is INVALID, because an attempt to build it was interrupted: dropping it`,
      );
      await this.asScriptFailed(script, session.query(`DROP INDEX CONCURRENTLY ${name}`));
    }
  }

  private execute(
    session: PostgresSession,
    script: string,
    { text, line }: { readonly text: string; readonly line: number },
  ): Promise<unknown> {
    return this.asScriptFailed(script, session.query(text), (position) => {
      return line + text.slice(0, position - 1).split("\n").length - 1;
    });
  }

  /** Turns the server's error for a statement into a ScriptFailed. @param lineAt maps a position in the sent text to a line. */
  private async asScriptFailed<Result>(
    script: string,
    answer: Promise<Result>,
    lineAt: (position: number) => number | null = () => null,
  ): Promise<Result> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      const position = Number(error.position ?? NaN);
      const line = Number.isNaN(position) ? null : lineAt(position);
      throw new ScriptFailed(script, line, error.message, {
        isPassing: PASSING.has(error.code ?? ""),
      });
    }
  }
}

async function transactionId(session: PostgresSession): Promise<string | undefined> {
  const [row] = await session.ask<{ id: string }>("SELECT txid_current() AS id");
  return row?.id;
}

function lineOfBegin(sql: string): number | null {
  const all = [...tokens(sql, "postgres")].filter(({ kind }) => kind === "word");
  return all.findLast(({ text }) => /^(BEGIN|START)$/i.test(text))?.line ?? null;
}
