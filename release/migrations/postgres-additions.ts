/**
 * What a PostgreSQL script creates, and so no running release uses or writes: tables, columns, and modules (functions,
 * procedures, views, triggers) that it drops and creates again.
 */
import type { Broken } from "./finding";
import { Made } from "./made";
import type { Facts, Named } from "./made";
import type { Judged, Statement } from "./postgres-statement";

export interface Action {
  readonly table: Named;
  /** The tokens of one action of ALTER TABLE. */
  readonly action: readonly string[];
}

interface DroppedModule {
  readonly statement: Statement;
  /** The number of its arguments; null if it has no argument list. */
  readonly count: number | null;
  isReplaced: boolean;
}

const NOT_FILLED: Broken = {
  kind: "default",
  message: "a NOT NULL column needs a DEFAULT: the running release does not write it",
};
const DUPLICATES: Broken = {
  kind: "rule",
  message: "refuses duplicates, which the running release may write",
};
const MAY_REFUSE_NULL: Broken = {
  kind: "rule",
  message: "adds a constraint that may refuse NULL, which the running release's rows have there",
};
const FILLS: ReadonlySet<string> = new Set(
  "DEFAULT IDENTITY GENERATED SERIAL SMALLSERIAL BIGSERIAL".split(" "),
);
const DISTINCT: ReadonlySet<string> = new Set(
  "IDENTITY SERIAL SMALLSERIAL BIGSERIAL NEXTVAL GEN_RANDOM_UUID UUID_GENERATE_V4 UUIDV7".split(" "),
);
const NO_COLUMNS: ReadonlySet<string> = new Set(
  "AND OR NOT IS NULL IN LIKE ILIKE BETWEEN ANY ARRAY TRUE FALSE".split(" "),
);

export class Additions {
  private readonly made = new Made();
  private readonly dropped = new Map<string, DroppedModule>();

  /** Records what a statement creates or drops. @returns whether it needs no further check. */
  handles(statement: Statement): boolean {
    const { words } = statement;
    if (words[0] === "CREATE") {
      const at = skip(words, 1, /^(GLOBAL|LOCAL|TEMPORARY|TEMP|UNLOGGED)$/);
      if (words[at] === "TABLE") this.add(words, at + 1, (table) => this.made.add("table", table));
      const module = readModule(
        words,
        skip(words, 1, /^(OR|REPLACE|CONSTRAINT|MATERIALIZED|RECURSIVE|TEMP|TEMPORARY)$/),
      );
      if (module !== null) this.put(module);
      return false;
    }
    if (words[0] !== "DROP") return false;
    if (words[1] === "TABLE") {
      const names = readNames(words, skip(words, 2, /^(IF|EXISTS)$/));
      return names.length > 0 && names.every((table) => this.made.has("table", table));
    }
    const module = readModule(words, skip(words, 1, /^(MATERIALIZED)$/));
    // With a list or CASCADE, it is more than a replacement.
    if (module === null || words.includes("CASCADE") || module.isList) return false;
    this.dropped.set(module.key, { statement, count: module.count, isReplaced: false });
    return true;
  }

  /** At the script's end: what was dropped and not created again. */
  gone(inTransaction: boolean): { statement: Statement; judged: Judged }[] {
    return [...this.dropped.values()].flatMap(({ statement, isReplaced }) => {
      if (isReplaced && inTransaction) return [];
      const message = isReplaced
        ? "until it is created again, it is missing for the running release: -- no-transaction exposes the gap"
        : "drops something that the running release may still use";
      return [{ statement, judged: { level: "breaks" as const, kind: "drop" as const, message } }];
    });
  }

  /** @param words of `CREATE UNIQUE INDEX`. @returns null if it refuses nothing. */
  uniqueIndexBreaks(words: readonly string[]): Broken | null {
    const on = words.indexOf("ON");
    const read = on === -1 ? null : readName(words, skip(words, on + 1, /^ONLY$/));
    return read === null ? DUPLICATES : this.uniqueBreaks(read.name, words.slice(read.next));
  }

  /** The actions of ALTER TABLE; none if its table can't be parsed. */
  actions(words: readonly string[]): Action[] {
    const read = readName(words, skip(words, 2, /^(ONLY|IF|EXISTS)$/));
    if (read === null) return [];
    const table = read.name;
    return split(words.slice(words[read.next] === "*" ? read.next + 1 : read.next)).map((action) => ({
      table,
      action,
    }));
  }

  /** @returns what an action breaks; null: nothing; undefined: it concerns objects that the running release uses. */
  judge(table: Named, action: readonly string[]): Broken | null | undefined {
    if (action[0] === "ADD") return this.judgeAdd(table, action);
    if (this.made.has("table", table)) return null;
    if (action[0] !== "ALTER" && action[0] !== "DROP") return undefined;
    const at = skip(action, 1, /^(COLUMN|IF|EXISTS)$/);
    const column = unquoted(action[at] ?? "");
    if (action[0] === "DROP" && action[1] === "CONSTRAINT") return undefined;
    const facts = this.made.column(table, column);
    if (facts === null) return undefined;
    const change = action.slice(at + 1, at + 4).join(" ");
    if (change.startsWith("DROP DEFAULT")) return this.change(table, column, { ...facts, filled: false });
    if (change.startsWith("SET DEFAULT")) return this.change(table, column, { ...facts, filled: true });
    if (change === "SET NOT NULL") return this.change(table, column, { ...facts, notNull: true });
    if (change.startsWith("DROP NOT NULL")) return this.change(table, column, { ...facts, notNull: false });
    return this.made.hasColumn(table, column) ? null : undefined;
  }

  private judgeAdd(table: Named, action: readonly string[]): Broken | null | undefined {
    const at = action[1] === "CONSTRAINT" ? 3 : 1;
    const rest = action.slice(at + 1);
    switch (action[at]) {
      case "UNIQUE":
      case "PRIMARY":
        return rest.includes("USING") ? undefined : this.uniqueBreaks(table, rest);
      case "FOREIGN":
        return this.foreignKeyBreaks(table, rest);
      case "CHECK":
        return this.checkBreaks(table, rest);
      case "EXCLUDE":
        return this.isNew(table) ? null : undefined;
      default:
        return at === 1 ? this.addColumn(table, action) : undefined;
    }
  }

  private addColumn(table: Named, action: readonly string[]): Broken | null {
    const at = skip(action, 1, /^(COLUMN|IF|NOT|EXISTS)$/);
    const column = unquoted(action[at] ?? "");
    // ON DELETE SET DEFAULT is no default.
    const words = action
      .slice(at + 1)
      .filter((word, index, all) => !(word === "DEFAULT" && all[index - 1] === "SET"));
    const facts: Facts = {
      filled: words.some((word, index) => FILLS.has(word) && words[index + 1] !== "NULL"),
      distinct: words.some((word) => DISTINCT.has(word)),
      notNull: words.some(
        (word, index) =>
          word === "PRIMARY" || (word === "NOT" && words[index + 1] === "NULL" && words[index - 1] !== "IS"),
      ),
    };
    if (action.includes("EXISTS") && at > 2) this.made.enter(new Set([column]));
    this.made.addColumn(table, column, facts);
    if (this.made.isConditional) this.made.leave();
    if (this.isNew(table)) return null;
    if (facts.notNull && !facts.filled) return NOT_FILLED;
    if (words.includes("UNIQUE") || words.includes("PRIMARY")) {
      const broken = this.uniqueBreaks(table, ["(", column, ")"]);
      if (broken !== null) return broken;
    }
    const check = words.indexOf("CHECK");
    return check === -1 ? null : (this.checkBreaks(table, words.slice(check + 1)) ?? null);
  }

  private change(table: Named, column: string, facts: Facts): Broken | null {
    this.made.setFacts(table, column, facts);
    return facts.notNull && !facts.filled && !this.isNew(table) ? NOT_FILLED : null;
  }

  /** @param words after the table's name, or after UNIQUE. Two NULLs are not duplicates. */
  private uniqueBreaks(table: Named, words: readonly string[]): Broken | null {
    if (this.isNew(table)) return null;
    const open = words.indexOf("(");
    const close = closing(words, open);
    const facts = columns(words.slice(open + 1, close)).map((column) => this.made.column(table, column));
    if (facts.some((each) => each?.distinct === true)) return null;
    const rest = words.slice(close + 1);
    const nullsDiffer = !rest.join(" ").includes("NULLS NOT DISTINCT");
    if (nullsDiffer && facts.some((each) => each !== null && !each.filled)) return null;
    const where = rest.indexOf("WHERE");
    const isLeftOut =
      where !== -1 &&
      !rest.includes("OR") &&
      rest.slice(where).some((word, index, all) => {
        const each = this.made.column(table, unquoted(word));
        return each !== null && !each.filled && !(all[index + 1] === "IS" && all[index + 2] === "NULL");
      });
    return isLeftOut ? null : DUPLICATES;
  }

  private foreignKeyBreaks(table: Named, words: readonly string[]): Broken | null | undefined {
    if (this.isNew(table)) return null;
    const open = words.indexOf("(");
    const facts = columns(words.slice(open + 1, closing(words, open))).map((column) =>
      this.made.column(table, column),
    );
    if (facts.length > 0 && facts.every((each) => each !== null)) return null;
    return !words.includes("FULL") && facts.some((each) => each !== null && !each.filled) ? null : undefined;
  }

  /** A condition that is neither true nor false, as a comparison with NULL, passes. */
  private checkBreaks(table: Named, words: readonly string[]): Broken | null | undefined {
    if (this.isNew(table)) return null;
    const open = words.indexOf("(");
    const condition = words.slice(open + 1, closing(words, open));
    const named = condition.filter(
      (word, index) =>
        /^["\p{L}_]/u.test(word) &&
        !NO_COLUMNS.has(word) &&
        condition[index + 1] !== "(" &&
        condition[index - 1] !== ":" &&
        condition[index - 1] !== "AS",
    );
    const facts = named.map((word) => this.made.column(table, unquoted(word)));
    if (facts.length === 0 || facts.includes(null)) return undefined;
    const checksNull = /\bIS NOT NULL\b|\bCOALESCE\b|\bCASE\b|\bDISTINCT\b/.test(condition.join(" "));
    return checksNull && facts.some((each) => !each!.filled) ? MAY_REFUSE_NULL : null;
  }

  private isNew(table: Named): boolean {
    return this.made.hasForRules(table);
  }

  private put({ key, count }: Module): void {
    const dropped = this.dropped.get(key);
    // With different arguments it is another function: callers of the old one fail.
    if (dropped !== undefined && (dropped.count === null || dropped.count === count))
      dropped.isReplaced = true;
  }

  /** @param from the position of a name, or of IF NOT EXISTS before it. */
  private add(words: readonly string[], from: number, add: (name: Named) => void): void {
    const at = skip(words, from, /^(IF|NOT|EXISTS)$/);
    const read = readName(words, at);
    if (read === null) return;
    if (at > from) this.made.enter(new Set([read.name.object]));
    add(read.name);
    if (at > from) this.made.leave();
  }
}

interface Module {
  readonly key: string;
  readonly count: number | null;
  readonly isList: boolean;
}

/** A function, procedure, view or trigger. A trigger's key contains its table. */
function readModule(words: readonly string[], at: number): Module | null {
  const kind = words[at];
  if (kind === undefined || !/^(FUNCTION|PROCEDURE|VIEW|TRIGGER)$/.test(kind)) return null;
  const read = readName(words, skip(words, at + 1, /^(IF|EXISTS)$/));
  if (read === null) return null;
  if (kind === "TRIGGER") {
    const on = words.indexOf("ON", read.next);
    const table = on === -1 ? null : readName(words, on + 1);
    return { key: `${kind} ${read.name.key} ${table?.name.key ?? ""}`, count: null, isList: false };
  }
  const close = words[read.next] === "(" ? closing(words, read.next) : -1;
  const list = words.slice(read.next + 1, Math.max(close, 0));
  const count = close === -1 || kind === "VIEW" ? null : list.length === 0 ? 0 : split(list).length;
  return {
    key: `${kind} ${read.name.key}`,
    count,
    isList: words[close === -1 ? read.next : close + 1] === ",",
  };
}

function readNames(words: readonly string[], from: number): Named[] {
  const found: Named[] = [];
  for (let read = readName(words, from); read !== null; read = readName(words, read.next + 1)) {
    found.push(read.name);
    if (words[read.next] !== ",") break;
  }
  return found;
}

function readName(words: readonly string[], from: number): { name: Named; next: number } | null {
  const parts: string[] = [];
  let next = from;
  do {
    const end = partEnd(words, next);
    if (end === null) return null;
    parts.push(words.slice(next, end).map(unquoted).join(" "));
    next = end + 1;
  } while (words[next - 1] === ".");
  const object = parts.at(-1)!;
  const key = parts.length > 1 && parts[0] === "PUBLIC" ? parts.slice(1).join(".") : parts.join(".");
  return { name: { key, object }, next: next - 1 };
}

/** The end of a name's part: a word, a quoted name, or a template's placeholder as in `{{ .Schema }}`. */
function partEnd(words: readonly string[], from: number): number | null {
  if (/^["\p{L}_]/u.test(words[from] ?? "")) return from + 1;
  if (words[from] !== "{" || words[from + 1] !== "{") return null;
  const end = words.indexOf("}", from);
  return end === -1 ? null : end + 2;
}

/** The columns of an index or a key; "" for an expression. */
function columns(words: readonly string[]): string[] {
  return split(words).map(([first = "", second = ""]) => (second === "(" ? "" : unquoted(first)));
}

/** Splits at commas outside parentheses and brackets. */
function split(words: readonly string[]): string[][] {
  const parts: string[][] = [[]];
  let depth = 0;
  for (const word of words) {
    if (word === "(" || word === "[") depth += 1;
    if (word === ")" || word === "]") depth -= 1;
    if (word === "," && depth === 0) parts.push([]);
    else parts.at(-1)!.push(word);
  }
  return parts;
}

function closing(words: readonly string[], open: number): number {
  let depth = 0;
  for (let at = open; at >= 0 && at < words.length; at += 1) {
    depth += words[at] === "(" ? 1 : words[at] === ")" ? -1 : 0;
    if (depth === 0) return at;
  }
  return words.length;
}

function skip(words: readonly string[], from: number, these: RegExp): number {
  let at = from;
  while (at < words.length && these.test(words[at]!)) at += 1;
  return at;
}

function unquoted(word: string): string {
  return word.startsWith('"') ? word.slice(1, -1) : word;
}
