/**
 * The parts of SQL text that a migration needs: where strings, comments and quoted names end, and where SQL Server's batches
 * (`GO`) or PostgreSQL's statements (`;`) end. It is not a SQL parser.
 */
import { InvalidInput } from "../failure";
import { inOneLine } from "../text";
import { COMMENT, isBlank, KINDS, lex, NUMBER, skipBlanks, WORD } from "./lexer";
import type { Dialect, Kind, TokenTable } from "./lexer";

export type { Dialect } from "./lexer";

export interface Token {
  readonly kind: Kind;
  readonly text: string;
  readonly start: number;
  /** Of its first character; the first line is 1. */
  readonly line: number;
}

export interface Batch {
  readonly text: string;
  /** Of its first character in the script. */
  readonly line: number;
  /** `GO 5` runs the batch before it five times. */
  readonly repeat: number;
}

/** A batch or statement as a range of tokens: from the first one to the one after the last. */
export interface Part {
  readonly from: number;
  readonly to: number;
  /** The limits of its text. */
  readonly start: number;
  readonly end: number;
  readonly repeat: number;
}

/** The limit of SQL Server's own tools. */
const MOST_REPEATS = 2_147_483_647;

/** How much of a line a message shows. */
const SHOWN = 60;

/** @throws InvalidInput naming the line where a string, name or comment begins that never ends. */
export function* tokens(sql: string, dialect: Dialect): Generator<Token> {
  const table = lex(sql, dialect);
  for (let index = 0; index < table.length; index += 1) {
    yield {
      kind: KINDS[table.kind(index)]!,
      text: table.text(index),
      start: table.start(index),
      line: table.line(index),
    };
  }
}

/**
 * SQL Server's batches: `GO` alone on its line ends one, also `GO 5`; in a string, a comment or a quoted name it is text.
 * @throws InvalidInput naming the line that begins with GO and is no separator: the server would take GO for a name.
 */
export function batches(sql: string): Batch[] {
  const table = lex(sql, "mssql");
  return batchParts(table).map((part) => trimmed(table, part, "mssql"));
}

/** PostgreSQL's statements, without their semicolons. */
export function statements(sql: string): Batch[] {
  const table = lex(sql, "postgres");
  return statementParts(table).map((part) => trimmed(table, part, "postgres"));
}

/** Batches with only comments and semicolons are left out. */
export function batchParts(table: TokenTable): Part[] {
  const found: Part[] = [];
  let from = 0;
  let start = 0;
  let lastLine = 0;
  const close = (to: number, end: number, repeat: number): void => {
    if (hasStatement(table, from, to)) found.push({ from, to, start, end, repeat });
  };
  for (let index = 0; index < table.length; index += 1) {
    const opensLine = table.line(index) > lastLine;
    lastLine = lastLineOf(table, index);
    if (!opensLine || !isGo(table, index)) continue;
    const separator = readSeparator(table, index);
    if (separator === null) continue;
    close(index, table.start(index), separator.repeat);
    // A comment after it may span lines, which are never code.
    index = separator.last;
    lastLine = lastLineOf(table, index);
    from = index + 1;
    start = table.end(index);
  }
  close(table.length, table.sql.length, 1);
  return found;
}

function isGo(table: TokenTable, index: number): boolean {
  const start = table.start(index);
  return (
    table.kind(index) === WORD &&
    table.end(index) - start === 2 &&
    /^go$/i.test(table.sql.slice(start, start + 2))
  );
}

/** @returns null if GO is a name: SQL Server's tools send `GO,`, `GO=1` and the label `GO:` to the server. */
function readSeparator(table: TokenTable, index: number): { repeat: number; last: number } | null {
  const { sql } = table;
  const line = table.line(index);
  const behind = sql[table.end(index)] ?? "\n";
  const refuse = (): never => {
    const end = sql.indexOf("\n", table.start(index));
    const shown = inOneLine(sql.slice(table.start(index), end === -1 ? sql.length : end)).trim();
    throw new InvalidInput(
      `line ${line}: ${shown.length > SHOWN ? `${shown.slice(0, SHOWN)} ...` : shown}: GO ends a batch only alone on its line, or followed by a count or a -- comment; move the rest to a separate line, or put a name GO in brackets`,
    );
  };
  // SQL Server's tools do not accept these as spaces.
  if (/[\f\v\u0080-\uffff]/.test(behind) || !/^[ \t\ufeff]*$/.test(beforeOnLine(sql, table.start(index))))
    return refuse();
  if (/[^\s;/-]/.test(behind)) return null;
  let repeat: number | null = null;
  let last = index;
  for (let next = index + 1; next < table.length && table.line(next) === line; next += 1) {
    const isComment = table.kind(next) === COMMENT;
    const isCount = table.kind(next) === NUMBER && repeat === null && /^\d{1,10}$/.test(table.text(next));
    // Directly after GO, only a -- comment is allowed: SQL Server's tools refuse `GO/*`.
    if (next === index + 1 && table.start(next) === table.end(index) && !table.text(next).startsWith("--"))
      refuse();
    if (!isComment && !isCount) refuse();
    if (isCount) repeat = Number(table.text(next));
    last = next;
  }
  if (repeat !== null && repeat > MOST_REPEATS) refuse();
  return { repeat: repeat ?? 1, last };
}

function beforeOnLine(sql: string, position: number): string {
  return sql.slice(sql.lastIndexOf("\n", position - 1) + 1, position);
}

/** Statements with only comments are left out. */
export function statementParts(table: TokenTable): Part[] {
  const found: Part[] = [];
  let from = 0;
  let start = 0;
  let depth = 0;
  let before = "";
  const close = (to: number, end: number): void => {
    if (hasStatement(table, from, to)) found.push({ from, to, start, end, repeat: 1 });
  };
  for (let index = 0; index < table.length; index += 1) {
    const kind = table.kind(index);
    if (kind === COMMENT) continue;
    // The body of a function in standard SQL contains semicolons: BEGIN ATOMIC ...; CASE ... END; END
    if (kind === WORD) {
      const word = shortWord(table, index);
      if (word === "ATOMIC" && before === "BEGIN") depth = 1;
      else if (depth > 0 && (word === "CASE" || word === "BEGIN")) depth += 1;
      else if (depth > 0 && word === "END") depth -= 1;
      before = word;
      continue;
    }
    before = "";
    if (depth > 0 || table.sql[table.start(index)] !== ";") continue;
    close(index, table.start(index));
    from = index + 1;
    start = table.end(index);
  }
  close(table.length, table.sql.length);
  return found;
}

/** Short words can matter for the end of a statement; "" for longer ones. */
function shortWord(table: TokenTable, index: number): string {
  return table.end(index) - table.start(index) > 6 ? "" : table.text(index).toUpperCase();
}

function hasStatement(table: TokenTable, from: number, to: number): boolean {
  for (let index = from; index < to; index += 1)
    if (table.kind(index) !== COMMENT && table.sql[table.start(index)] !== ";") return true;
  return false;
}

function lastLineOf(table: TokenTable, index: number): number {
  let line = table.line(index);
  const end = table.end(index);
  for (let at = table.start(index); at < end; at += 1) if (table.sql.charCodeAt(at) === 10) line += 1;
  return line;
}

function trimmed(table: TokenTable, { from, start, end, repeat }: Part, dialect: Dialect): Batch {
  const { sql } = table;
  const first = Math.min(skipBlanks(sql, start, dialect), end);
  let last = end;
  while (last > first && isBlank(sql, last - 1, dialect)) last -= 1;
  return { text: sql.slice(first, last), line: table.line(from), repeat };
}
