/** `BEGIN TRANSACTION` and what ends it: where a script has the one and not the other, it ends in the migrator's own transaction, or leaves one open. */
type Say = (message: string) => void;

export class Transactions {
  private begins: Say | null = null;
  private ends: Say | null = null;
  private commits = false;

  /** @param inTransaction whether the script runs in one with its journal row. */
  constructor(private readonly inTransaction: boolean) {}

  /** @param say speaks of this statement, now or later. */
  hear(word: "BEGIN" | "COMMIT" | "ROLLBACK", say: Say): void {
    if (word === "BEGIN") this.begins ??= say;
    else this.ends ??= say;
    this.commits ||= word === "COMMIT";
  }

  finish(): void {
    if (this.begins === null) {
      this.ends?.(
        this.inTransaction
          ? "ends the transaction in which the script runs with its journal row: leave it out, or say -- no-transaction in the first lines"
          : "ends a transaction that the script did not begin",
      );
    } else if (!this.commits) this.begins("begins a transaction that nothing in the script commits");
  }
}
