/**
 * Whether a rule on a table may refuse what the running release writes. It can't where the table is new, and where a
 * column is new that the rule says something about: the running release never writes that, so it has NULL or its default.
 */
import type { TokenTable } from "../lexer";
import { NAME, WORD } from "../lexer";
import { unquoted } from "./cursor";
import type { Span } from "./elements";
import type { Made } from "../made";
import type { ObjectName } from "./object-name";
import { isTemporary } from "./object-name";

const MAY_NOT_KEEP = "adds a constraint that the running release's writes may violate";

interface Place {
  readonly made: Made;
  readonly table: ObjectName;
  readonly tokens: TokenTable;
}

export function isNewTable({ made, table }: Pick<Place, "made" | "table">): boolean {
  return isTemporary(table) || made.hasForRules(table);
}

/** @returns null if a unique index or a key refuses nothing. @param filter of an index: its WHERE. */
export function uniqueBreaks(place: Place, columns: readonly string[], filter: Span | null): string | null {
  if (isNewTable(place)) return null;
  const { made, table } = place;
  const facts = columns.map((column) => made.column(table, column));
  if (facts.some((each) => each?.distinct === true)) return null;
  if (filter !== null && leavesOut(place, filter)) return null;
  const isNew = facts.length > 0 && facts.every((each) => each !== null);
  if (!isNew) return "refuses duplicates, which the running release may write";
  return facts.some((each) => each!.filled)
    ? "refuses duplicates: each row that the running release writes has the same default"
    : `refuses duplicates, and to SQL Server NULLs are some: of the running release's rows the second is refused; leave them out with WHERE ${columns[0]!} IS NOT NULL`;
}

/** @returns null if a foreign key refuses nothing: a NULL in one of its columns is enough. */
export function foreignKeyBreaks(place: Place, columns: readonly string[]): string | null {
  if (isNewTable(place)) return null;
  const facts = columns.map((column) => place.made.column(place.table, column));
  const isKept =
    facts.some((each) => each !== null && !each.filled) ||
    (facts.length > 0 && facts.every((each) => each !== null));
  return isKept ? null : MAY_NOT_KEEP;
}

const NO_COLUMNS: ReadonlySet<string> = new Set(
  "AND OR NOT IS NULL IN LIKE BETWEEN ESCAPE CASE WHEN THEN ELSE END AS COLLATE".split(" "),
);
/** With one of these, NULL may be refused. */
const LOOK_AT_NULL: ReadonlySet<string> = new Set(["ISNULL", "COALESCE", "CASE", "IIF", "NULLIF", "CONCAT"]);

/** @returns null if a CHECK refuses nothing: what is neither true nor false, as a comparison with NULL, passes. */
export function checkBreaks(
  place: Place,
  [from, to]: Span,
): { level: "breaks" | "unknown"; message: string } | null {
  if (isNewTable(place)) return null;
  const { tokens, made, table } = place;
  let looksAtNull = false;
  let hasColumn = false;
  for (let index = from; index < to; index += 1) {
    const kind = tokens.kind(index);
    if (kind !== WORD && kind !== NAME) continue;
    const text = tokens.text(index);
    const word = kind === WORD ? text.toUpperCase() : "";
    if (LOOK_AT_NULL.has(word)) looksAtNull = true;
    if (word === "NOT" && isWord(tokens, index - 1, "IS")) looksAtNull = true;
    const isOther =
      NO_COLUMNS.has(word) ||
      isWord(tokens, index - 1, "AS") ||
      isWord(tokens, index - 1, "COLLATE") ||
      (index + 1 < to && tokens.text(index + 1) === "(");
    if (isOther) continue;
    const facts = made.column(table, unquoted(text).toLowerCase());
    if (facts === null) return { level: "breaks", message: MAY_NOT_KEEP };
    hasColumn = true;
  }
  if (!hasColumn) return { level: "breaks", message: MAY_NOT_KEEP };
  return looksAtNull
    ? {
        level: "unknown",
        message: "adds a constraint that may refuse NULL, which the running release's rows have there",
      }
    : null;
}

/** Whether the running release's rows are not in the index: its filter asks for a value of a column that they have none of. */
function leavesOut({ made, table, tokens }: Place, [from, to]: Span): boolean {
  for (let index = from; index < to; index += 1) {
    const kind = tokens.kind(index);
    if (kind !== WORD && kind !== NAME) continue;
    const facts = made.column(table, unquoted(tokens.text(index)).toLowerCase());
    if (facts === null || facts.filled) continue;
    const wantsNull = index + 2 < to && isWord(tokens, index + 1, "IS") && isWord(tokens, index + 2, "NULL");
    if (!wantsNull) return true;
  }
  return false;
}

function isWord(tokens: TokenTable, index: number, word: string): boolean {
  return index >= 0 && tokens.kind(index) === WORD && tokens.text(index).toUpperCase() === word;
}
