/**
 * A script and its journal row are one transaction: a COMMIT of its own would part them. Found before anything runs, by
 * the command that reads the scripts and by the migrator that is given them.
 */
import { InvalidInput } from "../failure";
import type { Script } from "./scripts";
import { statements, tokens } from "./sql-text";
import type { Dialect, Token } from "./sql-text";

const CONTROL = /^(BEGIN|START|COMMIT|ROLLBACK|END|ABORT)$/;

/**
 * SQL Server counts transactions, and the migrator asks it how many are open: there, nothing is refused before.
 * @throws InvalidInput naming script, line and what to do, where a script of PostgreSQL begins or ends a transaction.
 */
export function refuseTransactionControl({ name, sql, transaction }: Script, dialect: Dialect): void {
  if (!transaction || dialect !== "postgres") return;
  for (const { text, line } of statements(sql)) {
    const words = [...tokens(text, dialect)].filter(({ kind }) => kind !== "comment");
    const control = controlOf(words);
    if (control === null) continue;
    const at = line + words[0]!.line - 1;
    const refused = `${name}, line ${at}: ${control} can't be in a script, which runs in one transaction with its journal row`;
    throw new InvalidInput(
      isFromEf(sql)
        ? `${refused}; dotnet ef migrations script leaves it out with --no-transactions, and bluegreen migrations from-ef makes a script of each migration so`
        : `${refused}; leave it out, or say -- no-transaction in its first lines`,
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

/** Its row in EF's history table, under the name that EF gives it. */
function isFromEf(sql: string): boolean {
  return sql.includes("__EFMigrationsHistory");
}

function upper(token: Token | undefined): string {
  return token?.text.toUpperCase() ?? "";
}
