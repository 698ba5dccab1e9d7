/**
 * Splits SQL text into tokens, once and in linear time. It loops over characters, because regular expressions recurse on a
 * literal of megabytes. Tokens are columns of numbers, not objects, because a script may have millions.
 */
import { InvalidInput } from "../failure";

export type Dialect = "mssql" | "postgres";

export const KINDS = ["word", "name", "string", "number", "comment", "symbol"] as const;
export type Kind = (typeof KINDS)[number];

export const WORD = 0;
export const NAME = 1;
export const STRING = 2;
export const NUMBER = 3;
export const COMMENT = 4;
export const SYMBOL = 5;

/** Numbers per token: kind, start, end, line. */
const CELLS = 4;
const KIND = 0;
const START = 1;
const END = 2;
const LINE = 3;

/** The tokens of one text, with comments but without whitespace. */
export class TokenTable {
  length = 0;
  private cells: Int32Array;

  constructor(readonly sql: string) {
    // Start small: a script may run many short texts.
    this.cells = new Int32Array(CELLS * Math.min(1024, (sql.length >> 2) + 4));
  }

  add(kind: number, start: number, end: number, line: number): void {
    const at = this.length * CELLS;
    if (at === this.cells.length) {
      const larger = new Int32Array(at * 2);
      larger.set(this.cells);
      this.cells = larger;
    }
    this.cells[at + KIND] = kind;
    this.cells[at + START] = start;
    this.cells[at + END] = end;
    this.cells[at + LINE] = line;
    this.length += 1;
  }

  /** One of the constants above. */
  kind(index: number): number {
    return this.cells[index * CELLS + KIND]!;
  }

  start(index: number): number {
    return this.cells[index * CELLS + START]!;
  }

  /** After its last character. */
  end(index: number): number {
    return this.cells[index * CELLS + END]!;
  }

  /** Of its first character; the first line is 1. */
  line(index: number): number {
    return this.cells[index * CELLS + LINE]!;
  }

  text(index: number): string {
    return this.sql.slice(this.start(index), this.end(index));
  }
}

const LINE_FEED = 10;
const QUOTE = 39;
const DOUBLE_QUOTE = 34;
const DOLLAR = 36;
const AMPERSAND = 38;
const HYPHEN = 45;
const SLASH = 47;
const STAR = 42;
const DOT = 46;
const BACKSLASH = 92;
const OPEN_BRACKET = 91;

const IS_BLANK = 1;
const IS_DIGIT = 2;
const BEGINS_WORD = 4;
const IN_WORD = 8;

/** The class of each ASCII character. */
const ASCII: Readonly<Record<Dialect, Uint8Array>> = { mssql: ascii("_@#", "$"), postgres: ascii("_", "$") };

function ascii(beginWords: string, inWords: string): Uint8Array {
  const is = new Uint8Array(128);
  for (let code = 0; code < 128; code += 1) {
    const character = String.fromCharCode(code);
    if (/[ \t\n\r\f\v]/.test(character)) is[code] = IS_BLANK;
    else if (/\d/.test(character)) is[code] = IS_DIGIT | IN_WORD;
    else if (/[A-Za-z]/.test(character) || beginWords.includes(character)) is[code] = BEGINS_WORD | IN_WORD;
    else if (inWords.includes(character)) is[code] = IN_WORD;
  }
  return is;
}

/** @throws InvalidInput naming the line where a string, name or comment begins that never ends. */
export function lex(sql: string, dialect: Dialect): TokenTable {
  return new Lexer(sql, dialect).read();
}

/** The end of the whitespace from here on. */
export function skipBlanks(sql: string, from: number, dialect: Dialect): number {
  let position = from;
  while (position < sql.length && isBlank(sql, position, dialect)) position += 1;
  return position;
}

export function isBlank(sql: string, position: number, dialect: Dialect): boolean {
  const code = sql.charCodeAt(position);
  if (code < 128) return ASCII[dialect][code] === IS_BLANK;
  // For PostgreSQL, any character outside ASCII is a letter, even a no-break space.
  return dialect === "mssql" && /\s/.test(sql[position]!);
}

class Lexer {
  private position = 0;
  private line = 1;
  private readonly table: TokenTable;
  private readonly is: Uint8Array;

  constructor(
    private readonly sql: string,
    private readonly dialect: Dialect,
  ) {
    this.table = new TokenTable(sql);
    this.is = ASCII[dialect];
  }

  read(): TokenTable {
    for (;;) {
      this.skip();
      if (this.position >= this.sql.length) return this.table;
      const start = this.position;
      const line = this.line;
      this.table.add(this.token(), start, this.position, line);
    }
  }

  private skip(): void {
    const { sql } = this;
    for (; this.position < sql.length; this.position += 1) {
      const code = sql.charCodeAt(this.position);
      if (code === LINE_FEED) this.line += 1;
      else if (code < 128 ? this.is[code] !== IS_BLANK : !isBlank(sql, this.position, this.dialect)) return;
    }
  }

  /** Reads one token and moves past it. */
  private token(): number {
    const code = this.sql.charCodeAt(this.position);
    const next = this.sql.charCodeAt(this.position + 1);
    if (code === HYPHEN && next === HYPHEN) return this.lineComment();
    if (code === SLASH && next === STAR) return this.blockComment();
    if (code === QUOTE) return this.quoted(QUOTE, 1, STRING);
    if (code === DOUBLE_QUOTE) return this.quoted(DOUBLE_QUOTE, 1, NAME);
    if (this.dialect === "mssql") {
      if (code === OPEN_BRACKET) return this.quoted(93, 1, NAME);
      if (next === QUOTE && (code | 32) === 110) return this.quoted(QUOTE, 2, STRING);
    } else {
      const prefixed = this.prefixed(code | 32, next);
      if (prefixed !== null) return prefixed;
      if (code === DOLLAR) {
        const tagged = this.dollarString();
        if (tagged !== null) return tagged;
      }
    }
    const length = this.letter(this.position, BEGINS_WORD);
    if (length > 0) return this.word(length);
    return code < 128 && this.is[code]! & IS_DIGIT ? this.number() : this.symbol();
  }

  /** PostgreSQL's `E'...'`, `B'...'`, `X'...'`, `N'...'`, `U&'...'` and `U&"..."`. */
  private prefixed(letter: number, next: number): number | null {
    const prefix = String.fromCharCode(letter);
    if (next === QUOTE && prefix === "e") return this.escapedString();
    if (next === QUOTE && "bxn".includes(prefix)) return this.quoted(QUOTE, 2, STRING);
    if (prefix !== "u" || next !== AMPERSAND) return null;
    const third = this.sql.charCodeAt(this.position + 2);
    if (third === QUOTE) return this.quoted(QUOTE, 3, STRING);
    return third === DOUBLE_QUOTE ? this.quoted(DOUBLE_QUOTE, 3, NAME) : null;
  }

  private lineComment(): number {
    const end = this.sql.indexOf("\n", this.position);
    this.position = end === -1 ? this.sql.length : end;
    return COMMENT;
  }

  /** Comments nest, in both dialects. */
  private blockComment(): number {
    const { sql } = this;
    let depth = 0;
    for (let at = this.position; at < sql.length - 1; at += 1) {
      const code = sql.charCodeAt(at);
      if (code !== SLASH && code !== STAR) continue;
      const next = sql.charCodeAt(at + 1);
      if (code === SLASH && next === STAR) depth += 1;
      else if (code === STAR && next === SLASH) depth -= 1;
      else continue;
      at += 1;
      if (depth === 0) return this.moveTo(at + 1, COMMENT);
    }
    throw new InvalidInput(`line ${this.line}: /* opens a comment that is never closed`);
  }

  /** Up to a closing character that is not doubled. @param opening the number of opening characters. */
  private quoted(closing: number, opening: number, kind: number): number {
    const { sql } = this;
    const mark = String.fromCharCode(closing);
    for (let at = this.position + opening; ; at += 2) {
      at = sql.indexOf(mark, at);
      if (at === -1) break;
      if (sql.charCodeAt(at + 1) !== closing) return this.moveTo(at + 1, kind);
    }
    const opens = sql.slice(this.position, this.position + opening);
    throw new InvalidInput(`line ${this.line}: ${opens} opens a string or name that is never closed`);
  }

  private escapedString(): number {
    const { sql } = this;
    for (let at = this.position + 2; at < sql.length; at += 1) {
      const code = sql.charCodeAt(at);
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE && sql.charCodeAt(at + 1) === QUOTE) at += 1;
      else if (code === QUOTE) return this.moveTo(at + 1, STRING);
    }
    throw new InvalidInput(
      `line ${this.line}: ${sql[this.position]!} opens a string that is never closed: a quote after a backslash is part of the string`,
    );
  }

  /** `$$...$$` and `$tag$...$tag$`; null if the dollar does not open a string. */
  private dollarString(): number | null {
    const { sql } = this;
    let end = this.position + 1;
    for (let length = this.letter(end, BEGINS_WORD); length > 0; length = this.letter(end, IN_WORD)) {
      if (sql.charCodeAt(end) === DOLLAR) break;
      end += length;
    }
    if (sql.charCodeAt(end) !== DOLLAR) return null;
    const tag = sql.slice(this.position, end + 1);
    const closing = sql.indexOf(tag, end + 1);
    if (closing === -1)
      throw new InvalidInput(`line ${this.line}: ${tag} opens a string that is never closed`);
    return this.moveTo(closing + tag.length, STRING);
  }

  private word(first: number): number {
    this.position += first;
    for (let length = this.letter(this.position, IN_WORD); length > 0;) {
      this.position += length;
      length = this.letter(this.position, IN_WORD);
    }
    return WORD;
  }

  private number(): number {
    this.digits();
    const behind = this.sql.charCodeAt(this.position + 1);
    if (this.sql.charCodeAt(this.position) === DOT && behind < 128 && this.is[behind]! & IS_DIGIT) {
      this.position += 1;
      this.digits();
    }
    return NUMBER;
  }

  private digits(): void {
    for (let code = this.sql.charCodeAt(this.position); code < 128 && this.is[code]! & IS_DIGIT;) {
      this.position += 1;
      code = this.sql.charCodeAt(this.position);
    }
  }

  private symbol(): number {
    this.position += this.sql.codePointAt(this.position)! > 0xffff ? 2 : 1;
    return SYMBOL;
  }

  /** The length of the letter here in UTF-16 units; 0 if there is none. */
  private letter(position: number, as: number): number {
    const code = this.sql.charCodeAt(position);
    if (code < 128) return this.is[code]! & as ? 1 : 0;
    const point = this.sql.codePointAt(position);
    if (point === undefined) return 0;
    const length = point > 0xffff ? 2 : 1;
    if (this.dialect === "postgres") return length;
    const character = String.fromCodePoint(point);
    return (as === BEGINS_WORD ? /\p{L}/u : /[\p{L}\p{N}]/u).test(character) ? length : 0;
  }

  /** Moves to the end of a token that may contain line ends. */
  private moveTo(end: number, kind: number): number {
    for (let at = this.position; at < end; at += 1) if (this.sql.charCodeAt(at) === LINE_FEED) this.line += 1;
    this.position = end;
    return kind;
  }
}
