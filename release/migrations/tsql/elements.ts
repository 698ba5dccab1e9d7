/** The list in `CREATE TABLE t (...)` and after `ALTER TABLE t ADD`: columns and constraints. */
import type { Cursor } from "./cursor";
import { walk } from "./statement-end";

export interface ColumnType {
  readonly name: string;
  /** As in `(9, 2)` and `(max)`. */
  readonly sizes: readonly string[];
}

export interface Column {
  readonly is: "column";
  readonly name: string;
  /** null for a computed column. */
  readonly type: ColumnType | null;
  readonly notNull: boolean;
  /** Whether the database fills in a value if a statement gives none: DEFAULT, IDENTITY, a computed column and the like. */
  readonly filled: boolean;
  /** The default constraint's name; null if it has none of its own, undefined if there is no DEFAULT. */
  readonly defaultName: string | null | undefined;
  /** Whether each row gets a unique value. */
  readonly distinct: boolean;
  readonly unique: boolean;
  readonly check: Span | null;
}

/** A range of tokens: the first one, and the one after the last. */
export type Span = readonly [number, number];

export interface Rule {
  readonly is: "unique" | "foreign key" | "check" | "default" | "other";
  readonly name: string | null;
  /** For `default`: its column. */
  readonly columns: readonly string[];
  /** For `check`, and for an index's WHERE. */
  readonly condition: Span | null;
}

export type Element = Column | Rule;

/** Reads up to the list's end: the closing parenthesis, or where the statement ends. */
export function readElements(cursor: Cursor): Element[] {
  const found: Element[] = [];
  do found.push(readElement(cursor));
  while (cursor.take(","));
  return found;
}

function readElement(cursor: Cursor): Element {
  const name = cursor.take("CONSTRAINT") ? cursor.part() : null;
  switch (cursor.word()) {
    case "PRIMARY":
    case "UNIQUE":
    case "INDEX":
      return readUnique(cursor, name);
    case "FOREIGN": {
      cursor.next();
      cursor.take("KEY");
      const columns = cursor.columns();
      finish(cursor);
      return { is: "foreign key", name, columns, condition: null };
    }
    case "CHECK": {
      const condition = readCheck(cursor);
      finish(cursor);
      return { is: "check", name, columns: [], condition };
    }
    case "DEFAULT": {
      let column: string | null = null;
      finish(cursor, (word) => {
        if (word !== "FOR" || cursor.word(-1) === "VALUE") return;
        cursor.next();
        column = cursor.part();
      });
      return { is: "default", name, columns: column === null ? [] : [column], condition: null };
    }
  }
  if (cursor.is("PERIOD", "FOR") || (name !== null && cursor.is("CONNECTION"))) {
    finish(cursor);
    return { is: "other", name, columns: [], condition: null };
  }
  return readColumn(cursor);
}

/** `PRIMARY KEY (a)`, `UNIQUE CLUSTERED (a)`, `INDEX i UNIQUE (a) WHERE a IS NOT NULL`. */
function readUnique(cursor: Cursor, constraint: string | null): Rule {
  const isIndex = cursor.take("INDEX");
  const name = isIndex ? cursor.part() : constraint;
  let isUnique = !isIndex;
  let columns: string[] | null = null;
  let condition: Span | null = null;
  finish(cursor, (word) => {
    if (word === "UNIQUE") isUnique = true;
    if (word === "(" && columns === null) columns = cursor.columns();
    if (word === "WHERE") condition = readWhere(cursor);
  });
  return { is: isUnique ? "unique" : "other", name, columns: columns ?? [], condition };
}

/** An index's filter, up to WITH, ON or where the statement ends. */
export function readWhere(cursor: Cursor): Span {
  const from = cursor.position;
  walk(cursor, (word) => /^(?:WITH|ON|,|\))$/.test(word));
  return [from, cursor.position];
}

function readCheck(cursor: Cursor): Span {
  cursor.next();
  cursor.take("NOT", "FOR", "REPLICATION");
  const from = cursor.position;
  cursor.skipParentheses();
  return [from, cursor.position];
}

/** `GENERATED ALWAYS AS ROW START`, or `END`. */
const GENERATED_WORDS = 5;

function readColumn(cursor: Cursor): Column {
  const name = cursor.part() ?? "";
  let notNull = false;
  let filled = false;
  let distinct = false;
  let unique = false;
  let check: Span | null = null;
  let constraint: string | null = null;
  let defaultName: string | null | undefined;
  const type = readType(cursor);
  if (type === null || /^(?:rowversion|timestamp)$/.test(type.name)) filled = true;
  finish(cursor, (word) => {
    switch (word) {
      case "CONSTRAINT":
        cursor.next();
        constraint = cursor.part();
        break;
      case "COLLATE":
        cursor.next();
        cursor.part();
        break;
      case "NOT":
        if (cursor.word(1) === "NULL") notNull = true;
        break;
      case "DEFAULT":
        filled = !/^NULL$/.test(cursor.word(1) === "(" ? cursor.word(2) : cursor.word(1));
        defaultName = constraint;
        constraint = null;
        distinct ||= /^(?:NEWID|NEWSEQUENTIALID|NEXT)$/.test(
          cursor.word(1) === "(" ? cursor.word(2) : cursor.word(1),
        );
        break;
      case "IDENTITY":
        filled = true;
        distinct = true;
        break;
      case "GENERATED":
        filled = true;
        // ALWAYS AS ROW END: no block ends here.
        for (let word = 0; word < GENERATED_WORDS; word += 1) cursor.next();
        break;
      case "PRIMARY":
        notNull = true;
        unique = true;
        break;
      case "UNIQUE":
        unique = true;
        break;
      case "CHECK":
        check = readCheck(cursor);
        break;
    }
  });
  return { is: "column", name, type, notNull, filled, defaultName, distinct, unique, check };
}

/** @returns null, without moving, for a computed column (`AS ...`) or none at all; `timestamp` alone is both name and type. */
export function readType(cursor: Cursor): ColumnType | null {
  if (cursor.is("AS") || !cursor.isNamePart()) return null;
  let name = cursor.part()!;
  while (cursor.take(".")) name = cursor.part() ?? name;
  const sizes: string[] = [];
  if (cursor.is("(")) {
    const end = cursor.copy();
    end.skipParentheses();
    for (; cursor.position < end.position; cursor.next())
      if (cursor.isNumber || cursor.isNamePart()) sizes.push(cursor.text().toLowerCase());
  }
  return { name, sizes };
}

/** Moves to the comma or parenthesis after an element. */
function finish(cursor: Cursor, visit: (word: string) => void = () => undefined): void {
  walk(cursor, (word) => {
    if (word === "," || word === ")") return true;
    // ON DELETE SET DEFAULT, ON UPDATE CASCADE: none of it begins a statement.
    if (word === "ON" && /^(?:DELETE|UPDATE)$/.test(cursor.word(1))) {
      cursor.next();
      cursor.next();
      if (cursor.is("SET") || cursor.is("NO")) cursor.next();
      cursor.next();
      return false;
    }
    visit(word);
    return false;
  });
}
