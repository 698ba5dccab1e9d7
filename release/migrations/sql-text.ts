/**
 * What SQL text is made of, as far as a migration needs it: where strings, comments and quoted names end, where a
 * batch of SQL Server (`GO`) or a statement of PostgreSQL (`;`) ends. It is no parser: the server is.
 */
import { InvalidInput } from "../refusal";

export type Dialect = "mssql" | "postgres";

export interface Token {
  readonly kind: "word" | "name" | "string" | "number" | "comment" | "symbol";
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

const LEXEMES: Readonly<Record<Dialect, RegExp>> = {
  mssql:
    /(?<string>N?'(?:[^']|'')*')|(?<name>"(?:[^"]|"")*"|\[(?:[^\]]|\]\])*\](?!\]))|(?<comment>--[^\n]*|\/\*)|(?<word>[\p{L}_@#][\p{L}\p{N}_@#$]*)|(?<number>\d+(?:\.\d+)?)|(?<symbol>\S)/uy,
  postgres:
    /(?<string>[eE]'(?:[^'\\]|''|\\[^])*'(?!')|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'|(?<tag>\$(?:[A-Za-z_\u{80}-\u{10ffff}][A-Za-z0-9_\u{80}-\u{10ffff}]*)?\$))|(?<name>(?:[uU]&)?"(?:[^"]|"")*")|(?<comment>--[^\n]*|\/\*)|(?<word>[A-Za-z_\u{80}-\u{10ffff}][A-Za-z0-9_$\u{80}-\u{10ffff}]*)|(?<number>\d+(?:\.\d+)?)|(?<symbol>\S)/uy,
};
/** To PostgreSQL, whatever is not ASCII is a letter: a no-break space, too. */
const BLANK: Readonly<Record<Dialect, RegExp>> = { mssql: /\s/, postgres: /[ \t\n\r\f\v]/ };
const OPENS_WITHOUT_END = /^['"[]/;

/** @throws InvalidInput naming the line where a string, name or comment begins that never ends. */
export function* tokens(sql: string, dialect: Dialect): Generator<Token> {
  const lexemes = LEXEMES[dialect];
  let line = 1;
  let counted = 0;
  const skip = (from: number): number => skipBlanks(sql, from, dialect);
  for (let position = skip(0); position < sql.length; position = skip(position)) {
    line += newLines(sql, counted, position);
    counted = position;
    lexemes.lastIndex = position;
    const { groups = {} } = lexemes.exec(sql)!;
    const kind = (["string", "name", "comment", "word", "number"] as const).find(
      (each) => groups[each] !== undefined,
    );
    let text = groups[kind ?? "symbol"]!;
    if (text === "/*") text = sql.slice(position, endOfComment(sql, position, line));
    else if (groups["tag"] !== undefined) text = sql.slice(position, endOfDollar(sql, position, text, line));
    else if (opensWithoutEnd(sql, position, { kind, text, dialect })) {
      throw new InvalidInput(`line ${line}: ${text} opens something that nothing closes`);
    }
    yield { kind: kind ?? "symbol", text, start: position, line };
    position += text.length;
  }
}

function opensWithoutEnd(
  sql: string,
  position: number,
  { kind, text, dialect }: { kind: string | undefined; text: string; dialect: Dialect },
): boolean {
  // Whole, it would have been a string: the quote that seems to close it is escaped.
  if (dialect === "postgres" && /^e$/i.test(text)) return sql[position + 1] === "'";
  return kind === undefined && OPENS_WITHOUT_END.test(text) && !(text === "[" && dialect === "postgres");
}

/** SQL Server's batches: `GO` alone on its line ends one, also `GO 5`; in a string, a comment or a quoted name it is text. */
export function batches(sql: string): Batch[] {
  const found: Batch[] = [];
  let start = 0;
  let line = 1;
  let lastLine = 0;
  const all = [...tokens(sql, "mssql")];
  for (const [index, token] of all.entries()) {
    const opensLine = token.line > lastLine;
    lastLine = token.line + newLines(token.text, 0, token.text.length);
    if (!opensLine || token.kind !== "word" || token.text.toUpperCase() !== "GO") continue;
    const sameLine: Token[] = [];
    while (all[index + 1 + sameLine.length]?.line === token.line) {
      sameLine.push(all[index + 1 + sameLine.length]!);
    }
    const [first, ...others] = sameLine.filter(({ kind }) => kind !== "comment");
    if (others.length > 0 || (first !== undefined && !/^\d{1,6}$/.test(first.text))) continue;
    found.push({ ...trimmed(sql, [start, token.start], line, "mssql"), repeat: Number(first?.text ?? 1) });
    // A comment behind it may go on for lines: what it says is never code.
    const last = sameLine.at(-1) ?? token;
    start = last.start + last.text.length;
    line = last.line + newLines(last.text, 0, last.text.length);
  }
  found.push({ ...trimmed(sql, [start, sql.length], line, "mssql"), repeat: 1 });
  return found.filter(({ text }) => hasStatement(text, "mssql"));
}

/** PostgreSQL's statements, without their semicolons. */
export function statements(sql: string): Batch[] {
  const found: Batch[] = [];
  let start = 0;
  let line = 1;
  let depth = 0;
  let before = "";
  for (const { kind, text, start: position, line: at } of tokens(sql, "postgres")) {
    if (kind === "comment") continue;
    const word = kind === "word" ? text.toUpperCase() : text;
    // The body of a function in standard SQL has semicolons of its own: BEGIN ATOMIC ...; CASE ... END; END
    if (word === "ATOMIC" && before === "BEGIN") depth = 1;
    else if (depth > 0 && (word === "CASE" || word === "BEGIN")) depth += 1;
    else if (depth > 0 && word === "END") depth -= 1;
    before = word;
    if (word !== ";" || depth > 0) continue;
    found.push({ ...trimmed(sql, [start, position], line, "postgres"), repeat: 1 });
    start = position + 1;
    line = at;
  }
  found.push({ ...trimmed(sql, [start, sql.length], line, "postgres"), repeat: 1 });
  return found.filter(({ text }) => hasStatement(text, "postgres"));
}

function hasStatement(text: string, dialect: Dialect): boolean {
  for (const { kind, text: symbol } of tokens(text, dialect))
    if (kind !== "comment" && symbol !== ";") return true;
  return false;
}

function trimmed(
  sql: string,
  [from, to]: readonly [number, number],
  line: number,
  dialect: Dialect,
): { text: string; line: number } {
  const start = Math.min(skipBlanks(sql, from, dialect), to);
  let end = to;
  while (end > start && BLANK[dialect].test(sql[end - 1]!)) end -= 1;
  return { text: sql.slice(start, end), line: line + newLines(sql, from, start) };
}

/** Comments nest, in both dialects. */
function endOfComment(sql: string, start: number, line: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  for (let depth = 0, mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  throw new InvalidInput(`line ${line}: /* opens a comment that nothing closes`);
}

function endOfDollar(sql: string, start: number, tag: string, line: number): number {
  const end = sql.indexOf(tag, start + tag.length);
  if (end === -1) throw new InvalidInput(`line ${line}: ${tag} opens a string that nothing closes`);
  return end + tag.length;
}

function skipBlanks(sql: string, from: number, dialect: Dialect): number {
  let position = from;
  while (position < sql.length && BLANK[dialect].test(sql[position]!)) position += 1;
  return position;
}

/** Looks no further than it is asked to: a script may be one line of megabytes. */
function newLines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) if (text.charCodeAt(at) === 10) count += 1;
  return count;
}
