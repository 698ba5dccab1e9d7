/** Whether a script's text can be read at all: where its strings and comments end, and its batches or statements. */
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

/** What reads a script's text knows lines only: its refusal gets the script's name. */
export function readable<T>(script: Pick<Script, "name">, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidInput) throw new InvalidInput(`${script.name}, ${error.message}`);
    throw error;
  }
}
