/** What a migration asks of a database; one implementation for each dialect. */
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

export const JOURNAL = "bluegreen_migrations";

/** A statement may wait this long for a lock: whoever waits makes everybody else wait behind it. */
export const LOCK_TIMEOUT_MS = 5_000;

export interface Database {
  readonly dialect: Dialect;
  /** One migration at a time and database. @returns whether it was got in time. */
  lock(waitSeconds: number): Promise<boolean>;
  /** Creates the journal where there is none. */
  prepareJournal(): Promise<void>;
  /** In the order of the numbers; empty where there is no journal. */
  journal(): Promise<JournalRow[]>;
  /** Script and journal row, both or neither. */
  applyInTransaction(script: Script, release: string): Promise<void>;
  /** The journal says `running` before, `applied` after. */
  applyWithoutTransaction(script: Script, release: string): Promise<void>;
  /** What a person found out about a script that is `running`. */
  resolve(name: string, as: "applied" | "pending"): Promise<boolean>;
  /** Whether the same may well succeed a moment later: somebody held a lock, or two waited for each other. */
  isPassing(error: unknown): boolean;
  close(): Promise<void>;
}

/** What the database said about a script, with the line it means. */
export class ScriptFailed extends Error {
  override readonly name = "ScriptFailed";

  constructor(
    readonly script: string,
    readonly line: number | null,
    override readonly cause: unknown,
  ) {
    const said = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, " ");
    super(`${script}${line === null ? "" : `, line ${line}`}: ${said}`);
  }
}
