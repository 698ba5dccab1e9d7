/** Splits a batch into statements for the scripted SQL Server: at semicolons, and before words that can only begin one. */
import { tokens } from "../../../release/migrations/sql-text";

export interface Statement {
  readonly text: string;
  /** In upper case, without comments; strings and names unchanged. */
  readonly words: readonly string[];
  /** The line in the batch, from 1. */
  readonly line: number;
}

const BEGINS =
  /^(BEGIN|COMMIT|ROLLBACK|SET|CREATE|INSERT|UPDATE|DELETE|DROP|ALTER|EXEC|EXECUTE|REVERT|USE|WAITFOR|SELECT|DECLARE|IF)$/;

export function statementsOf(batch: string): Statement[] {
  const found: { words: string[]; line: number; start: number; end: number }[] = [];
  let depth = 0;
  let isOpen = false;
  for (const { kind, text, line, start } of tokens(batch, "mssql")) {
    if (kind === "comment") continue;
    if (text === ";" && depth === 0) {
      isOpen = false;
      continue;
    }
    depth += text === "(" ? 1 : text === ")" ? -1 : 0;
    const word = kind === "word" ? text.toUpperCase() : text;
    // Scripts may omit semicolons: such a word at the start of a line begins a statement.
    const opensLine = /(^|\n)[ \t]*$/.test(batch.slice(Math.max(0, start - 200), start));
    if (!isOpen || (depth === 0 && opensLine && kind === "word" && BEGINS.test(word))) {
      found.push({ words: [], line, start, end: start });
      isOpen = true;
    }
    const current = found.at(-1)!;
    current.words.push(word);
    current.end = start + text.length;
  }
  return found.map(({ words, line, start, end }) => ({ words, line, text: batch.slice(start, end) }));
}
