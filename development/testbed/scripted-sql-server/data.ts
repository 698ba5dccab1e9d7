/**
 * The data of the scripted SQL Server: tables with counts of rows, the migrator's journal, and each committed statement. A
 * transaction's changes are a list, applied on commit and dropped on rollback.
 */
export interface JournalEntry {
  readonly number: number;
  readonly name: string;
  readonly phase: string;
  readonly sha256: string;
  readonly release: string;
  readonly started: string;
  readonly finished: string | null;
  readonly status: string;
}

export class Data {
  readonly rows = new Map<string, number>();
  readonly journal = new Map<string, JournalEntry>();
  hasJournal = false;
  /** Ids in the table `__EFMigrationsHistory`; null: there is no such table. */
  efHistory: readonly string[] | null = null;
  /** Statements of scripts, as they were sent. */
  readonly committed: string[] = [];

  with(changes: readonly Change[]): Data {
    const copy = new Data();
    for (const [table, count] of this.rows) copy.rows.set(table, count);
    for (const [name, entry] of this.journal) copy.journal.set(name, entry);
    copy.hasJournal = this.hasJournal;
    copy.efHistory = this.efHistory;
    copy.committed.push(...this.committed);
    for (const change of changes) change(copy);
    return copy;
  }
}

export type Change = (data: Data) => void;
