/**
 * Splits the output of `dotnet ef migrations script` for a whole history into one text per migration. The last statement of
 * each migration inserts its row into EF's history table.
 */
import { InvalidInput } from "../../failure";
import { inOneLine } from "../../text";
import { tokens } from "../sql-text";
import type { Dialect, Token } from "../sql-text";
import type { EfHistory } from "../ef-history";

export interface EfPart {
  readonly id: string;
  readonly history: EfHistory;
  /** EF's text, with the row for the history table; the first one also creates that table. */
  readonly sql: string;
}

/** A migration's row in the history table: its first and its last token. */
interface HistoryRow {
  readonly id: string;
  readonly history: EfHistory;
  readonly first: number;
  readonly last: number;
}

/**
 * @param text of `dotnet ef migrations script --no-transactions`. @param ids all migrations, in EF's order.
 * @throws InvalidInput if a migration has no row, or its last statement does not end.
 */
export function partsOf(text: string, ids: readonly string[], dialect: Dialect): EfPart[] {
  const all = code(text, dialect);
  let start = 0;
  return rowsOf(all, ids, dialect).map(({ id, history, first, last }) => {
    // On SQL Server, GO ends the row's batch.
    const end = dialect === "mssql" && isWord(all[last + 1], "GO") ? last + 1 : last;
    const until = endOf(all[end]!);
    const before = all[first - 1];
    let sql = text.slice(start, until);
    if (dialect === "postgres" && before !== undefined && before.text !== ";" && endOf(before) > start) {
      // EF does not end the text of Sql(): in a script, it would continue into the row.
      sql = `${text.slice(start, endOf(before))};${text.slice(endOf(before), until)}`;
    }
    start = until;
    return { id, history, sql: `${sql.trim()}\n` };
  });
}

/**
 * The migrations with statements that must run outside a transaction (`suppressTransaction`).
 * @param text the same output without `--no-transactions`: EF ends its transaction before such a statement.
 */
export function outsideTransaction(text: string, ids: readonly string[], dialect: Dialect): Set<string> {
  const all = code(text, dialect);
  const found = new Set<string>();
  const rows = rowsOf(all, ids, dialect);
  let inTransaction = false;
  let row = 0;
  for (let index = afterHistoryTable(all, rows[0]); index < all.length && row < rows.length; index += 1) {
    const { id, first, last } = rows[row]!;
    if (index === first) {
      // If EF's transaction ended before, the row is alone, which proves nothing.
      index = last;
      row += 1;
    } else if (beginsTransaction(all, index)) {
      inTransaction = true;
      index += 2;
    } else if (isWord(all[index], "COMMIT") && all[index + 1]?.text === ";") {
      inTransaction = false;
      index += 1;
    } else if (!inTransaction && !isWord(all[index], "GO") && all[index]!.text !== ";") {
      found.add(id);
    }
  }
  return found;
}

/** Without comments. @throws InvalidInput if EF's text can't be read. */
function code(text: string, dialect: Dialect): Token[] {
  try {
    return [...tokens(text, dialect)].filter(({ kind }) => kind !== "comment");
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new InvalidInput(
      `the output of dotnet ef migrations script can't be parsed: ${inOneLine(error.message)}; correct the Sql() that it comes from`,
    );
  }
}

function rowsOf(all: readonly Token[], ids: readonly string[], dialect: Dialect): HistoryRow[] {
  const found: HistoryRow[] = [];
  for (let index = 0; index < all.length && found.length < ids.length; index += 1) {
    const row = rowAt(all, index, ids[found.length]!, dialect);
    if (row === null) continue;
    found.push(row);
    index = row.last;
  }
  const missing = ids[found.length];
  if (missing !== undefined) {
    throw new InvalidInput(
      `dotnet ef migrations script writes no row for ${missing} into EF's history table: is this its whole output, from migration 0?`,
    );
  }
  return found;
}

/** INSERT INTO [schema.]table (column, column) VALUES ('id', 'version') */
function rowAt(all: readonly Token[], at: number, id: string, dialect: Dialect): HistoryRow | null {
  if (!isWord(all[at], "INSERT") || !isWord(all[at + 1], "INTO")) return null;
  const isQualified = all[at + 3]?.text === ".";
  let index = at + (isQualified ? 5 : 3);
  const shape = ["(", null, ",", null, ")", "VALUES", "(", null, ",", null, ")"];
  for (const expected of shape) {
    if (expected !== null && all[index]?.text.toUpperCase() !== expected) return null;
    index += 1;
  }
  const columns = index - shape.length;
  const value = all[columns + 7];
  if (value?.kind !== "string" || literal(value.text) !== id) return null;
  const name = (token: Token | undefined): string => plainName(token!, dialect);
  return {
    id,
    history: {
      schema: isQualified ? name(all[at + 2]) : null,
      table: name(all[isQualified ? at + 4 : at + 2]),
      idColumn: name(all[columns + 1]),
    },
    first: at,
    last: all[index]?.text === ";" ? index : index - 1,
  };
}

/** The first token after EF's creation of its history table, which comes before its first transaction. */
function afterHistoryTable(all: readonly Token[], row: HistoryRow | undefined): number {
  if (row === undefined) return 0;
  const begins = all.findIndex((_, index) => index >= row.first || beginsTransaction(all, index));
  const makes = all.findIndex(
    ({ text }, index) =>
      index < begins && text === all[row.first + (row.history.schema === null ? 2 : 4)]!.text,
  );
  if (makes === -1) return 0;
  const ends = all.findIndex(
    (token, index) =>
      index > makes && (isWord(token, "GO") || (token.text === ";" && !insideBlock(all, index))),
  );
  return ends === -1 ? 0 : ends + 1;
}

/** Whether T-SQL's BEGIN ... END is open there. */
function insideBlock(all: readonly Token[], at: number): boolean {
  let depth = 0;
  for (const token of all.slice(0, at))
    depth += isWord(token, "BEGIN") ? 1 : isWord(token, "END") && depth > 0 ? -1 : 0;
  return depth > 0;
}

function beginsTransaction(all: readonly Token[], at: number): boolean {
  return (
    (isWord(all[at], "BEGIN") || isWord(all[at], "START")) &&
    isWord(all[at + 1], "TRANSACTION") &&
    all[at + 2]?.text === ";"
  );
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === "word" && token.text.toUpperCase() === word;
}

function literal(text: string): string {
  return text.replace(/^N?'/i, "").slice(0, -1).replaceAll("''", "'");
}

function plainName({ kind, text }: Token, dialect: Dialect): string {
  if (kind !== "name") return dialect === "postgres" ? text.toLowerCase() : text;
  const inner = text.slice(1, -1);
  return text.startsWith("[") ? inner.replaceAll("]]", "]") : inner.replaceAll('""', '"');
}

function endOf({ start, text }: Token): number {
  return start + text.length;
}
