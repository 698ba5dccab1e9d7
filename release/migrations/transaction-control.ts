/**
 * A script and its journal row are one transaction, which a COMMIT in the script would split. The command and the migrator
 * both check this before anything runs.
 */
import { InvalidInput } from "../failure";
import type { Script } from "./scripts";
import { statements, tokens } from "./sql-text";
import type { Dialect, Token } from "./sql-text";

const CONTROL = /^(BEGIN|START|COMMIT|ROLLBACK|END|ABORT)$/;

/**
 * For SQL Server nothing is refused here: it counts open transactions, and the migrator checks the count.
 * @throws InvalidInput naming script, line and what to do, if a PostgreSQL script begins or ends a transaction.
 */
export function refuseTransactionControl({ name, sql, transaction }: Script, dialect: Dialect): void {
  if (!transaction || dialect !== "postgres") return;
  for (const { text, line } of statements(sql)) {
    const words = [...tokens(text, dialect)].filter(({ kind }) => kind !== "comment");
    const control = controlOf(words);
    if (control === null) continue;
    const at = line + words[0]!.line - 1;
    const refused = `${name}, line ${at}: ${control} is not allowed in a script, which runs in one transaction with its journal row`;
    throw new InvalidInput(
      isFromEf(sql)
        ? `${refused}; dotnet ef migrations script leaves it out with --no-transactions, and bluegreen migrations from-ef generates such a script for each migration`
        : `${refused}; leave it out, or add -- no-transaction to its first lines`,
    );
  }
}

function controlOf([first, second, third]: readonly Token[]): string | null {
  const word = upper(first);
  if (first?.kind !== "word" || !CONTROL.test(word)) return null;
  if (word === "START") return upper(second) === "TRANSACTION" ? "START TRANSACTION" : null;
  // ROLLBACK [WORK | TRANSACTION] TO a savepoint ends nothing.
  const after = /^(WORK|TRANSACTION)$/.test(upper(second)) ? third : second;
  return word === "ROLLBACK" && upper(after) === "TO" ? null : word;
}

/** Whether it contains the default name of EF's history table. */
function isFromEf(sql: string): boolean {
  return sql.includes("__EFMigrationsHistory");
}

function upper(token: Token | undefined): string {
  return token?.text.toUpperCase() ?? "";
}
