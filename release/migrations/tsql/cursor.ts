/** A position in the tokens of a T-SQL script without comments, and helpers that read from there. */
import { COMMENT, lex, NAME, NUMBER, STRING, SYMBOL, TokenTable, WORD } from "../lexer";
import { Reviews } from "../reviews";
import { batchParts } from "../sql-text";

/** A script's tokens without its comments. */
export interface Code {
  readonly table: TokenTable;
  /** Each batch's first token, and the one after its last. */
  readonly batches: readonly (readonly [number, number])[];
  readonly reviews: Reviews;
}

/** @throws InvalidInput as `batches` does. */
export function readCode(sql: string): Code {
  const all = lex(sql, "mssql");
  const parts = batchParts(all);
  if (!hasComment(all)) {
    return { table: all, batches: parts.map(({ from, to }) => [from, to]), reviews: new Reviews() };
  }
  const table = new TokenTable(sql);
  const reviews = new Reviews();
  const batches = parts.map(({ from, to }): [number, number] => {
    const first = table.length;
    for (let index = from; index < to; index += 1) {
      if (all.kind(index) !== COMMENT) {
        table.add(all.kind(index), all.start(index), all.end(index), all.line(index));
      } else reviews.add(all, index, { before: table.length - 1, after: table.length });
    }
    reviews.endBatch(table.length);
    return [first, table.length];
  });
  return { table, batches, reviews };
}

function hasComment(table: TokenTable): boolean {
  for (let index = 0; index < table.length; index += 1) if (table.kind(index) === COMMENT) return true;
  return false;
}

export class Cursor {
  constructor(
    readonly table: TokenTable,
    private readonly from: number,
    private readonly to: number,
    public position = from,
  ) {}

  get done(): boolean {
    return this.position >= this.to;
  }

  next(): void {
    this.position += 1;
  }

  /** One of the lexer's kinds; -1 outside of the batch. */
  kind(ahead = 0): number {
    const index = this.position + ahead;
    return index < this.from || index >= this.to ? -1 : this.table.kind(index);
  }

  /** A word in upper case, or a symbol; "" for quoted names, strings and numbers, which are never key words. */
  word(ahead = 0): string {
    const kind = this.kind(ahead);
    if (kind === SYMBOL) return this.table.sql[this.table.start(this.position + ahead)]!;
    return kind === WORD ? this.table.text(this.position + ahead).toUpperCase() : "";
  }

  text(ahead = 0): string {
    return this.kind(ahead) === -1 ? "" : this.table.text(this.position + ahead);
  }

  is(...words: readonly string[]): boolean {
    return words.every((word, ahead) => this.word(ahead) === word);
  }

  /** Moves past these words if they come next. */
  take(...words: readonly string[]): boolean {
    if (!this.is(...words)) return false;
    this.position += words.length;
    return true;
  }

  isNamePart(ahead = 0): boolean {
    const kind = this.kind(ahead);
    return kind === WORD || kind === NAME;
  }

  /** A column's, a constraint's or an index' name in lower case; null if none comes next. */
  part(): string | null {
    if (!this.isNamePart()) return null;
    const text = unquoted(this.text());
    this.next();
    return text.toLowerCase();
  }

  /** Moves past the closing parenthesis of the one here, if one opens here. */
  skipParentheses(): void {
    let depth = 0;
    for (; !this.done; this.position += 1) {
      if (this.table.kind(this.position) === SYMBOL) {
        const symbol = this.table.sql.charCodeAt(this.table.start(this.position));
        if (symbol === 40) depth += 1;
        else if (symbol === 41) depth -= 1;
      }
      if (depth > 0) continue;
      if (this.word() === ")") this.next();
      return;
    }
  }

  /** The names in a list in parentheses: each one's first part; `(a DESC, b)`. Moves past it. */
  columns(): string[] {
    const found: string[] = [];
    if (!this.is("(")) return found;
    const end = new Cursor(this.table, this.from, this.to, this.position);
    end.skipParentheses();
    while (this.position < end.position) {
      const opens = this.is("(") || this.is(",");
      this.next();
      if (opens && this.isNamePart() && this.position < end.position) found.push(this.part()!);
    }
    return found;
  }

  /** An independent copy. */
  copy(): Cursor {
    return new Cursor(this.table, this.from, this.to, this.position);
  }

  get isString(): boolean {
    return this.kind() === STRING;
  }

  get isNumber(): boolean {
    return this.kind() === NUMBER;
  }
}

/** A name without its brackets or quotes. */
export function unquoted(text: string): string {
  if (text.startsWith("[")) return text.slice(1, -1).replaceAll("]]", "]");
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}

/** The content of a string literal. */
export function literal(text: string): string {
  return text.slice(text.indexOf("'") + 1, -1).replaceAll("''", "'");
}
