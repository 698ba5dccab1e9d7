/** `CREATE`, `ALTER` and `DROP` of all but tables' columns and modules' bodies. */
import { RENAMES } from "../finding";
import type { Kind } from "../finding";
import { alterTable } from "./alter-table";
import type { Cursor } from "./cursor";
import { readElements, readWhere } from "./elements";
import type { Span } from "./elements";
import { moduleKind, notFirst, readModule } from "./modules";
import type { ObjectName } from "./object-name";
import { isTemporary, readName } from "./object-name";
import { uniqueBreaks } from "./rules";
import { walk } from "./statement-end";
import { MAY_USE, UNKNOWN } from "./subject";
import type { Subject } from "./subject";

/** What adds something, and takes nothing. */
const ADD: ReadonlySet<string> = new Set(
  (
    "AGGREGATE APPLICATION ASSEMBLY ASYMMETRIC CERTIFICATE COLUMN CONTRACT CREDENTIAL DATABASE DEFAULT EVENT EXTERNAL FULLTEXT " +
    "LOGIN MASTER MESSAGE PARTITION QUEUE ROLE ROUTE RULE SCHEMA SEARCH SEQUENCE SERVICE STATISTICS SYMMETRIC SYNONYM TYPE USER XML"
  ).split(" "),
);
/** Of them, those whose name comes next. */
const NAMED: ReadonlySet<string> = new Set(
  "AGGREGATE DEFAULT LOGIN ROLE RULE SCHEMA SEQUENCE SYNONYM TYPE USER".split(" "),
);
/** They come before INDEX, or are one. */
const INDEXES: ReadonlySet<string> = new Set(
  "UNIQUE CLUSTERED NONCLUSTERED COLUMNSTORE INDEX PRIMARY SPATIAL JSON VECTOR".split(" "),
);

/** @param cursor after `CREATE`. */
export function create(cursor: Cursor, subject: Subject): void {
  const orAlter = cursor.take("OR", "ALTER");
  const word = cursor.word();
  if (moduleKind(word) !== null) return readModule(cursor, subject, orAlter ? "CREATE OR ALTER" : "CREATE");
  if (word === "TABLE") return createTable(cursor, subject);
  if (INDEXES.has(word)) return createIndex(cursor, subject);
  cursor.next();
  if (word === "SECURITY") return securityPolicy(cursor, subject);
  if (!ADD.has(word)) return subject.report("unknown", UNKNOWN);
  if (/^(?:DEFAULT|RULE|SCHEMA)$/.test(word) && !subject.isFirst) subject.report("fails", notFirst(word));
  const name = NAMED.has(word) ? readName(cursor) : null;
  if (name !== null) subject.made.add(word, name);
}

function createTable(cursor: Cursor, subject: Subject): void {
  cursor.next();
  const table = readName(cursor);
  if (table === null) return subject.report("unknown", UNKNOWN);
  subject.made.add("table", table);
  if (!cursor.is("(")) return;
  const end = cursor.copy();
  end.skipParentheses();
  cursor.next();
  for (const element of readElements(cursor))
    if (element.is === "column") subject.schema.setColumn(table, element);
  cursor.position = end.position;
}

function createIndex(cursor: Cursor, subject: Subject): void {
  let isUnique = false;
  for (; INDEXES.has(cursor.word()) || cursor.is("XML"); cursor.next()) isUnique ||= cursor.is("UNIQUE");
  cursor.part();
  if (!cursor.take("ON")) return;
  const table = readName(cursor);
  if (!isUnique || table === null) return;
  const columns = cursor.columns();
  let filter: Span | null = null;
  walk(cursor, (word) => {
    if (word === "WHERE") filter = readWhere(cursor);
  });
  const broken = uniqueBreaks({ made: subject.made, table, tokens: cursor.table }, columns, filter);
  if (broken !== null) subject.report("breaks", broken, { kind: "rule" });
}

function securityPolicy(cursor: Cursor, subject: Subject): void {
  if (!hasWords(cursor, "STATE", "=", "OFF"))
    subject.report("breaks", "hides or refuses rows that the running release reads or writes");
  // Its predicates say AFTER INSERT, ALTER FILTER PREDICATE and the like.
  skipActions(cursor);
}

/** @param cursor after `ALTER`. */
export function alter(cursor: Cursor, subject: Subject): void {
  const word = cursor.word();
  if (moduleKind(word) !== null) return readModule(cursor, subject, "ALTER");
  cursor.next();
  if (word === "TABLE") return alterTable(cursor, subject);
  const own = word === "SEQUENCE" ? readName(cursor.copy()) : null;
  if (own !== null && subject.made.has(word, own)) return skipActions(cursor);
  const [level, message, kind = "other"] = verdictOnAlter(word, cursor);
  if (level !== "fine") subject.report(level, message, { kind });
  skipActions(cursor);
}

type Compatibility = readonly ["fine" | "unknown" | "breaks", string, Kind?];
const FINE: Compatibility = ["fine", ""];
const RENAMED: Compatibility = ["breaks", RENAMES.message, RENAMES.kind];

function verdictOnAlter(word: string, cursor: Cursor): Compatibility {
  const has = (...words: readonly string[]): boolean => hasWords(cursor, ...words);
  switch (word) {
    case "SCHEMA":
      return ["breaks", "moves something that the running release uses by its old name"];
    case "ROLE":
      if (has("DROP", "MEMBER")) return ["breaks", `revokes permissions ${MAY_USE}`];
      return has("WITH", "NAME") ? RENAMED : FINE;
    case "USER":
    case "LOGIN":
      return has("NAME", "=") ? RENAMED : ["unknown", UNKNOWN];
    case "INDEX":
      return has("DISABLE")
        ? ["breaks", "switches off an index: queries of the running release fail, or read it all"]
        : FINE;
    case "FULLTEXT":
      return has("DISABLE") || has("DROP", "(")
        ? ["breaks", `takes a full-text index ${MAY_USE}`, "drop"]
        : FINE;
    case "SEQUENCE":
      return has("RESTART")
        ? ["breaks", "gives out numbers again, which the running release has written"]
        : FINE;
    case "DATABASE":
      if (has("MODIFY", "NAME")) return RENAMED;
      return ["READ_ONLY", "SINGLE_USER", "RESTRICTED_USER", "OFFLINE", "EMERGENCY"].some((each) => has(each))
        ? ["breaks", "shuts the running release out"]
        : FINE;
    case "SECURITY":
      return has("STATE", "=", "OFF")
        ? FINE
        : ["breaks", "hides or refuses rows that the running release reads or writes"];
    default:
      return ["unknown", UNKNOWN];
  }
}

/** @param cursor after `DROP`. */
export function drop(cursor: Cursor, subject: Subject): void {
  const word = cursor.word();
  cursor.next();
  const kind = moduleKind(word);
  if (kind !== null || word === "TABLE") return dropEach(cursor, subject, kind ?? "table");
  if (word === "INDEX" || word === "STATISTICS") return;
  if (word === "XML")
    return subject.report("unknown", "the running release may know the schema collection by its name");
  cursor.take("IF", "EXISTS");
  const name = readName(cursor);
  if (name !== null && subject.made.has(word, name)) return;
  subject.report("breaks", `drops something ${MAY_USE}`, { kind: "drop" });
}

function dropEach(cursor: Cursor, subject: Subject, kind: string): void {
  cursor.take("IF", "EXISTS");
  do {
    const name = readName(cursor);
    if (name === null) return;
    if (isNewHere(subject, kind, name)) subject.made.remove(kind, name);
    else if (kind === "table")
      subject.report("breaks", `drops what the running release may still use`, { kind: "drop" });
    else subject.replacements.drop(kind, name, subject.here());
  } while (cursor.take(","));
}

function isNewHere({ made }: Subject, kind: string, name: ObjectName): boolean {
  return isTemporary(name) || made.has(kind, name);
}

/** What an ALTER drops or alters within what it alters. */
const PARTS = /^(?:MEMBER|CREDENTIAL|ENCRYPTION|FILE|VALUE|FILTER|BLOCK|\()$/;

/** Moves over the actions of an ALTER that has words in it which begin a statement elsewhere: `DROP MEMBER`, `SET (...)`. */
function skipActions(cursor: Cursor): void {
  for (;;) {
    walk(cursor);
    const word = cursor.word();
    const isAction =
      (word === "SET" &&
        !cursor.word(1).startsWith("@") &&
        cursor.word(2) !== "ON" &&
        cursor.word(2) !== "OFF") ||
      (word === "MERGE" && cursor.word(1) === "RANGE") ||
      ((word === "DROP" || word === "ALTER") && PARTS.test(cursor.word(1)));
    if (!isAction) return;
    cursor.next();
  }
}

/** Whether the statement has these words one behind the other, outside of parentheses or directly within some. */
function hasWords(cursor: Cursor, ...words: readonly string[]): boolean {
  const from = cursor.copy();
  const end = cursor.copy();
  skipActions(end);
  for (; from.position < end.position; from.next()) if (from.is(...words)) return true;
  return false;
}
