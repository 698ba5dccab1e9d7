/**
 * What a migration asks of a database; one implementation for each dialect. A *control session* has the lock and keeps
 * the journal; each script gets a session of its own, as fresh as a new connection's, so that nothing that a script
 * sets, makes temporarily or becomes decides what the next one does, nor who writes the journal.
 */
import { EXIT } from "../../../release/exit-code";
import { Failure } from "../../../release/failure";
import type { EfHistory } from "../../../release/migrations/ef-history";
import type { Script } from "../../../release/migrations/scripts";
import type { Dialect } from "../../../release/migrations/sql-text";

/** A row of the table `bluegreen_migrations`: a script that was brought to this database. */
export interface JournalRow {
  readonly number: number;
  readonly name: string;
  readonly phase: string;
  readonly sha256: string;
  /** The release that brought it. */
  readonly release: string;
  readonly started: string;
  readonly finished: string | null;
  /** `running`: a script without a transaction began, and it is not known how far it got. */
  readonly status: "applied" | "running";
}

export type Resolution = "applied" | "pending";

export const JOURNAL = "bluegreen_migrations";

/** A statement may wait this long for a lock: everything that comes after it on that table waits behind it. */
export const LOCK_TIMEOUT_MS = 5_000;

export interface Database {
  readonly dialect: Dialect;
  /** One migration at a time and database. Does nothing where this one has it. @returns whether it was got in time. */
  lock(waitSeconds: number, onWait: () => void): Promise<boolean>;
  /** Creates the journal where there is none. */
  prepareJournal(): Promise<void>;
  /** What is committed, in the order of the numbers; empty where there is no journal. */
  journal(): Promise<JournalRow[]>;
  /** The ids of the migrations that Entity Framework Core recorded in its own table; empty where there is none. */
  migratedByEf(history: EfHistory): Promise<ReadonlySet<string>>;
  /** Script and journal row, both or neither. */
  applyInTransaction(script: Script, release: string): Promise<void>;
  /** The journal says `running` before, `applied` after. */
  applyWithoutTransaction(script: Script, release: string): Promise<void>;
  /** Records a script whose work is there already. */
  recordApplied(script: Script, release: string): Promise<void>;
  /** What a person found out about a script that is `running`. @returns whether it was. */
  resolve(name: string, as: Resolution): Promise<boolean>;
  /** Never fails, and ends where the server does not answer any more. */
  close(): Promise<void>;
}

/** What the database said about a script, with the line it means. */
export class ScriptFailed extends Failure {
  readonly isPassing: boolean;
  /** The script, where the journal does not know how far it got. */
  readonly running: string | null;

  /**
   * @param line in the script; null where it is not known. @param isPassing whether the same may well succeed a moment
   * later: another session held a lock, or two waited for each other; nothing of the script stayed.
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

  /** @param more what to do about it. */
  leftRunning(more: string): ScriptFailed {
    return new ScriptFailed(this.script, this.line, this.reason + more, { isRunning: true });
  }

  /** Of a script that did something already: the same again would do that twice. */
  withoutRetry(): ScriptFailed {
    return new ScriptFailed(this.script, this.line, this.reason);
  }
}

export const ENDED_ITS_TRANSACTION =
  "the script ended the transaction that it ran in: leave out COMMIT and ROLLBACK, or write `-- no-transaction` in its first lines";
export const LEFT_OPEN =
  "the transaction that begins here was still open at the script's end, so the database rolled it back: add its COMMIT";

/** The session ended before its work did, or there was none to be had: whether the work was committed, the journal says. */
export class SessionLost extends Error {
  override readonly name = "SessionLost";

  constructor(reason: string) {
    super(reason.replace(/\s+/g, " "));
  }
}

/** The server let nobody in under this login, now or ever: it said why. */
export class LoginRefused extends Error {
  override readonly name = "LoginRefused";
}
