/** Checks that a script can be parsed: its strings, comments, and batches or statements. */
import { InvalidInput } from "../failure";
import { lex } from "./lexer";
import type { Script } from "./scripts";
import { batchParts, statementParts } from "./sql-text";
import type { Dialect } from "./sql-text";

/** @throws InvalidInput naming script and line, where its text can't be read. */
export function refuseUnreadable(script: Script, dialect: Dialect): void {
  const parts = dialect === "postgres" ? statementParts : batchParts;
  readable(script, () => parts(lex(script.sql, dialect)));
}

/** Adds the script's name to errors, which only contain lines. */
export function readable<T>(script: Pick<Script, "name">, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidInput) throw new InvalidInput(`${script.name}, ${error.message}`);
    throw error;
  }
}
