/**
 * What a migration needs of a database; one implementation for each dialect. A *control session* has the lock and writes
 * the journal. Each script gets a new session, so that its settings, temporary tables and roles affect neither the next
 * script nor the journal.
 */
import { EXIT } from "../../../release/exit-code";
import { Failure } from "../../../release/failure";
import type { EfHistory } from "../../../release/migrations/ef-history";
import type { Script } from "../../../release/migrations/scripts";
import type { Dialect } from "../../../release/migrations/sql-text";

/** A row of the table `bluegreen_migrations`: a script in this database. */
export interface JournalRow {
  readonly number: number;
  readonly name: string;
  readonly phase: string;
  readonly sha256: string;
  /** The release that brought it. */
  readonly release: string;
  readonly started: string;
  readonly finished: string | null;
  /** `running`: a script without a transaction began; it is not known how far it got. */
  readonly status: "applied" | "running";
}

export type Resolution = "applied" | "pending";

export const JOURNAL = "bluegreen_migrations";

/** How long a statement may wait for a lock: later statements on that table wait behind it. */
export const LOCK_TIMEOUT_MS = 5_000;

export interface Database {
  readonly dialect: Dialect;
  /** One migration at a time and database. Does nothing if this one has the lock. @returns whether it was acquired in time. */
  lock(waitSeconds: number, onWait: () => void): Promise<boolean>;
  /** Creates the journal if there is none. */
  prepareJournal(): Promise<void>;
  /** The committed rows, in the order of the numbers; empty if there is no journal. */
  journal(): Promise<JournalRow[]>;
  /** The ids of the migrations in Entity Framework Core's table; empty if there is none. */
  migratedByEf(history: EfHistory): Promise<ReadonlySet<string>>;
  /** Script and journal row, atomically. */
  applyInTransaction(script: Script, release: string): Promise<void>;
  /** The journal has `running` before, `applied` after. */
  applyWithoutTransaction(script: Script, release: string): Promise<void>;
  /** Records a script whose changes are already in the database. */
  recordApplied(script: Script, release: string): Promise<void>;
  /** Records an operator's finding on a script that is `running`. @returns whether it was. */
  resolve(name: string, as: Resolution): Promise<boolean>;
  /** Never fails, and ends even if the server no longer answers. */
  close(): Promise<void>;
}

/** The database's error for a script, with its line. */
export class ScriptFailed extends Failure {
  readonly isPassing: boolean;
  /** The script, if the journal has it as `running`. */
  readonly running: string | null;

  /**
   * @param line in the script; null if it is not known. @param isPassing whether a retry may succeed: another session held
   * a lock, or two waited for each other; the script was rolled back.
   */
  constructor(
    readonly script: string,
    readonly line: number | null,
    private readonly reason: string,
    {
      isPassing = false,
      isRunning = false,
    }: { readonly isPassing?: boolean; readonly isRunning?: boolean } = {},
  ) {
    super(`${script}${line === null ? "" : `, line ${line}`}: ${reason.replace(/\s+/g, " ")}`, EXIT.rejected);
    this.isPassing = isPassing;
    this.running = isRunning ? script : null;
  }

  /** @param more the next step, added to the message. */
  leftRunning(more: string): ScriptFailed {
    return new ScriptFailed(this.script, this.line, this.reason + more, { isRunning: true });
  }

  /** For a script that has committed changes: a retry would repeat them. */
  withoutRetry(): ScriptFailed {
    return new ScriptFailed(this.script, this.line, this.reason);
  }
}

export const ENDED_ITS_TRANSACTION =
  "the script ended the transaction that it ran in: leave out COMMIT and ROLLBACK, or write `-- no-transaction` in its first lines";
export const LEFT_OPEN =
  "the transaction that begins here was still open at the script's end, so the database rolled it back: add its COMMIT";

/** The session ended before its work, or none could be opened. The journal shows whether the work was committed. */
export class SessionLost extends Error {
  override readonly name = "SessionLost";

  constructor(reason: string) {
    super(reason.replace(/\s+/g, " "));
  }
}

/** The server refused the login for a reason that is not transient. */
export class LoginRefused extends Error {
  override readonly name = "LoginRefused";
}
