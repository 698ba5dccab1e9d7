/** SQL Server and Azure SQL: batches separated by `GO`, transactions that a script may end itself. */
import { efHistoryQueries } from "../../../release/migrations/ef-history";
import type { EfHistory } from "../../../release/migrations/ef-history";
import type { Script } from "../../../release/migrations/scripts";
import { batches, tokens } from "../../../release/migrations/sql-text";
import type { Batch } from "../../../release/migrations/sql-text";
import { ENDED_ITS_TRANSACTION, JOURNAL, LEFT_OPEN, ScriptFailed } from "./database";
import type { Database, JournalRow, Resolution } from "./database";
import { Locks } from "./locks";
import { faultOf } from "./mssql-errors";
import { MssqlSession } from "./mssql-session";
import type { MssqlLogin } from "./mssql-session";

const TABLE = `dbo.${JOURNAL}`;
interface Transactions {
  /** The number of open BEGIN TRANSACTION. */
  readonly depth: number;
  /** 1: can be committed, -1: can only be rolled back. */
  readonly state: number;
  readonly id: string;
}

export class MssqlDatabase implements Database {
  readonly dialect = "mssql";
  private readonly locks: Locks<MssqlSession>;

  private constructor(
    login: MssqlLogin,
    private readonly control: MssqlSession,
  ) {
    this.locks = new Locks(control, () => MssqlSession.open(login));
  }

  /** @throws SessionLost if it can't be reached. @throws LoginRefused if the login is refused. */
  static async connect(login: MssqlLogin): Promise<MssqlDatabase> {
    return new MssqlDatabase(login, await MssqlSession.open(login));
  }

  lock(waitSeconds: number, onWait: () => void): Promise<boolean> {
    return this.locks.lock(waitSeconds, onWait);
  }

  async prepareJournal(): Promise<void> {
    await this.control.ask(
      `IF OBJECT_ID(N'${TABLE}') IS NULL
       CREATE TABLE ${TABLE} (number int NOT NULL PRIMARY KEY, name nvarchar(128) NOT NULL UNIQUE, phase varchar(10) NOT NULL,
         sha256 char(64) NOT NULL, release nvarchar(64) NOT NULL, started datetime2 NOT NULL, finished datetime2 NULL,
         status varchar(10) NOT NULL CHECK (status IN ('applied', 'running')));`,
    );
  }

  /** READPAST: skips uncommitted rows, without waiting. */
  async journal(): Promise<JournalRow[]> {
    if (!(await this.has(TABLE))) return [];
    const rows = await this.control.ask(
      `SELECT number, name, phase, sha256, release, CONVERT(varchar(33), started, 126) + 'Z' AS started,
              CONVERT(varchar(33), finished, 126) + 'Z' AS finished, status
         FROM ${TABLE} WITH (READPAST) ORDER BY number`,
    );
    return rows as unknown as JournalRow[];
  }

  async migratedByEf(history: EfHistory): Promise<ReadonlySet<string>> {
    const { exists, ids } = efHistoryQueries(history, this.dialect);
    const [table] = await this.control.ask(exists);
    if (table?.["found"] === null) return new Set();
    return new Set((await this.control.ask(ids)).map(({ id }) => String(id)));
  }

  async applyInTransaction(script: Script, release: string): Promise<void> {
    // Statements after a ROLLBACK are committed one by one: the journal gets its row before them.
    const all = batches(script.sql);
    const isAhead = all.some(changesAfterRollback);
    if (isAhead) await insert(this.control, script, release);
    await this.locks
      .withSession(async (session) => {
        await session.ask("BEGIN TRANSACTION");
        if (!isAhead) await insert(session, script, release);
        const begun = await transactions(session);
        for (const batch of all) {
          await execute(session, script.name, batch, async () => {
            const now = await transactions(session);
            if (now.depth > 0 && now.id === begun.id) return;
            throw new ScriptFailed(script.name, lineOf(batch, ENDS), ENDED_ITS_TRANSACTION);
          });
        }
        const { depth, state } = await transactions(session);
        if (depth > 1) throw new ScriptFailed(script.name, lineOfOpen(script.sql), LEFT_OPEN);
        if (state === -1) throw new ScriptFailed(script.name, null, DOOMED);
        await this.returnToLogin(session, script);
        await markApplied(session, script.name);
        await asScriptFailed(script.name, session.ask("COMMIT TRANSACTION"));
      })
      .catch(async (error: unknown) => {
        if (!(error instanceof ScriptFailed)) throw error;
        // The row exists: the script committed it, or it was written before.
        const stayed = (await this.journal()).some(({ name }) => name === script.name);
        throw stayed ? error.withoutRetry() : error;
      });
  }

  async applyWithoutTransaction(script: Script, release: string): Promise<void> {
    await insert(this.control, script, release);
    await this.locks
      .withSession(async (session) => {
        for (const batch of batches(script.sql)) await execute(session, script.name, batch);
        const { depth } = await transactions(session);
        if (depth > 0) throw new ScriptFailed(script.name, lineOfOpen(script.sql), LEFT_OPEN);
      })
      .catch((error: unknown) => {
        // The batch's statements before the failed one are committed.
        throw error instanceof ScriptFailed ? error.withoutRetry() : error;
      });
    await markApplied(this.control, script.name);
  }

  async recordApplied(script: Script, release: string): Promise<void> {
    await insert(this.control, script, release);
    await markApplied(this.control, script.name);
  }

  async resolve(name: string, as: Resolution): Promise<boolean> {
    if (!(await this.has(TABLE))) return false;
    const where = `WHERE name = @name AND status = 'running'`;
    const change =
      as === "pending"
        ? `DELETE FROM ${TABLE} ${where}`
        : `UPDATE ${TABLE} SET status = 'applied', finished = SYSUTCDATETIME() ${where}`;
    const [row] = await this.control.ask(`${change}; SELECT @@ROWCOUNT AS changed`, { name });
    return Number(row?.["changed"]) === 1;
  }

  close(): Promise<void> {
    return this.control.close();
  }

  private async has(table: string): Promise<boolean> {
    const [found] = await this.control.ask(`SELECT OBJECT_ID(N'${table}') AS id`);
    return found !== undefined && found["id"] !== null;
  }

  /** Reverts EXECUTE AS and USE of the script: the journal is written by the login, in its database. */
  private async returnToLogin(session: MssqlSession, script: Script): Promise<void> {
    const words = [...tokens(script.sql, "mssql")].filter(({ kind }) => kind !== "comment");
    const impersonations = words.filter(
      ({ text }, index) => /^EXEC(UTE)?$/i.test(text) && /^AS$/i.test(words[index + 1]?.text ?? ""),
    ).length;
    for (let time = 0; time < impersonations; time += 1) {
      await asScriptFailed(script.name, session.ask("REVERT"));
    }
    await session.settle();
  }
}

const DOOMED =
  "an error was caught in the script, and its transaction can't be committed any more: rethrow the error (THROW), or avoid it";
const ENDS = /^(COMMIT|ROLLBACK)$/i;
const CHANGES_SOMETHING =
  /^(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|INTO|CREATE|ALTER|DROP|EXEC|EXECUTE|GRANT|DENY|REVOKE|ENABLE|DISABLE|BULK|ADD|DBCC|WRITETEXT|UPDATETEXT)$/i;

async function transactions(session: MssqlSession): Promise<Transactions> {
  const [row] = await session.ask(
    "SELECT @@TRANCOUNT AS depth, XACT_STATE() AS state, CONVERT(varchar(20), CURRENT_TRANSACTION_ID()) AS id",
  );
  return { depth: Number(row?.["depth"]), state: Number(row?.["state"]), id: String(row?.["id"]) };
}

async function insert(
  session: MssqlSession,
  { number, name, phase, sha256 }: Script,
  release: string,
): Promise<void> {
  await session.ask(
    `INSERT INTO ${TABLE} (number, name, phase, sha256, release, started, status)
     VALUES (@number, @name, @phase, @sha256, @release, SYSUTCDATETIME(), 'running')`,
    { number, name, phase, sha256, release },
  );
}

async function markApplied(session: MssqlSession, name: string): Promise<void> {
  const [row] = await session.ask(
    `UPDATE ${TABLE} SET status = 'applied', finished = SYSUTCDATETIME() WHERE name = @name; SELECT @@ROWCOUNT AS changed`,
    { name },
  );
  if (Number(row?.["changed"]) !== 1) throw new Error(`${name} removed its own row from ${TABLE}`);
}

/** @param check runs after each execution. */
async function execute(
  session: MssqlSession,
  script: string,
  { text, line, repeat }: Batch,
  check: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  for (let time = 0; time < repeat; time += 1) {
    await asScriptFailed(script, session.run(text), (within) => line + within - 1);
    await check();
  }
}

/** Turns the server's error for a statement into a ScriptFailed. @param lineAt maps a line of the sent text to the script. */
async function asScriptFailed(
  script: string,
  answer: Promise<unknown>,
  lineAt: (within: number) => number | null = () => null,
): Promise<void> {
  try {
    await answer;
  } catch (error) {
    const { line, message, isPassing } = faultOf(error);
    throw new ScriptFailed(script, lineAt(line ?? 1), message, { isPassing });
  }
}

/** The script's line of the last such word in a batch. */
function lineOf({ text, line }: Batch, words: RegExp): number {
  const all = [...tokens(text, "mssql")].filter(
    ({ kind, text: word }) => kind === "word" && words.test(word),
  );
  return line + (all.at(-1)?.line ?? 1) - 1;
}

/** The line that opened a transaction which is still open: the last BEGIN TRANSACTION, or the setting that opens them. */
function lineOfOpen(sql: string): number | null {
  const all = [...tokens(sql, "mssql")].filter(({ kind }) => kind !== "comment");
  const opening = all.findLast(
    ({ text }, index) =>
      /^IMPLICIT_TRANSACTIONS$/i.test(text) ||
      (/^BEGIN$/i.test(text) && /^TRAN(SACTION)?$/i.test(all[index + 1]?.text ?? "")),
  );
  return opening?.line ?? null;
}

/** Whether a statement after a ROLLBACK changes something. */
function changesAfterRollback({ text }: Batch): boolean {
  const all = wordsIn(text);
  const rollback = all.findIndex((word) => /^ROLLBACK$/i.test(word));
  return rollback !== -1 && all.slice(rollback + 1).some((word) => CHANGES_SOMETHING.test(word));
}

function wordsIn(sql: string): string[] {
  return [...tokens(sql, "mssql")].filter(({ kind }) => kind === "word").map(({ text }) => text);
}
