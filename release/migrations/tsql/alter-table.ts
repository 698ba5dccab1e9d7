/** What `ALTER TABLE` breaks for the running release, action by action. */
import type { Cursor } from "./cursor";
import { readElements, readType } from "./elements";
import type { Column, Rule } from "./elements";
import type { ObjectName } from "./object-name";
import { isTemporary, readName } from "./object-name";
import { checkBreaks, foreignKeyBreaks, isNewTable, uniqueBreaks } from "./rules";
import { isWider } from "./schema";
import { walk } from "./statement-end";
import { switchTriggers } from "./triggers";
import { MAY_USE, UNKNOWN } from "./subject";
import type { Subject } from "./subject";

/** @param cursor after `ALTER TABLE`. */
export function alterTable(cursor: Cursor, subject: Subject): void {
  const { table, withCheck } = readSubject(cursor);
  if (table === null) return subject.report("unknown", UNKNOWN);
  const isNewHere = isTemporary(table) || subject.made.has("table", table);
  switch (cursor.word()) {
    case "ADD":
      cursor.next();
      return add(cursor, subject, table);
    case "DROP":
      cursor.next();
      return drop(cursor, subject, table, isNewHere);
    case "ALTER":
      cursor.next();
      return cursor.take("COLUMN")
        ? alterColumn(cursor, subject, table, isNewHere)
        : subject.report("unknown", UNKNOWN);
    case "SWITCH":
      if (!isNewHere) subject.report("breaks", "moves rows away from the running release");
      return;
    case "SET":
      cursor.next();
      return set(cursor, subject, table, isNewHere);
    case "REBUILD":
    case "NOCHECK":
      return;
    case "CHECK":
      return enable(cursor, subject, table, withCheck);
    case "ENABLE":
    case "DISABLE": {
      const on = cursor.is("ENABLE");
      cursor.next();
      if (cursor.is("TRIGGER")) return switchTriggers(cursor, subject, { on, table });
      if (!isNewHere) subject.report("unknown", UNKNOWN); // CHANGE_TRACKING, FILETABLE_NAMESPACE
      return;
    }
    default:
      subject.report("unknown", UNKNOWN);
  }
}

/** What comes before the first action: the table, and whether existing rows are checked. */
function readSubject(cursor: Cursor): { readonly table: ObjectName | null; readonly withCheck: boolean } {
  const table = readName(cursor);
  return { table, withCheck: cursor.take("WITH", "CHECK") || cursor.take("WITH", "NOCHECK") };
}

/** The columns that an `ALTER TABLE t ADD` adds, in lower case; none where another statement is here. */
export function columnsAddedAt(cursor: Cursor): string[] {
  if (!cursor.is("ALTER", "TABLE")) return [];
  const ahead = cursor.copy();
  ahead.take("ALTER", "TABLE");
  readSubject(ahead);
  if (!ahead.take("ADD")) return [];
  return readElements(ahead).flatMap((element) => (element.is === "column" ? element.name : []));
}

function add(cursor: Cursor, subject: Subject, table: ObjectName): void {
  const elements = readElements(cursor);
  const columns = elements.filter((element) => element.is === "column");
  // All columns first: a constraint may come before its column.
  for (const column of columns) {
    subject.schema.setColumn(table, column);
    subject.made.addColumn(table, column.name, column);
    if (typeof column.defaultName === "string") subject.defaults.add(table, column.defaultName, column.name);
  }
  for (const element of elements) {
    if (element.is === "column") addColumn(cursor, subject, table, element);
    else addRule(cursor, subject, table, element);
  }
}

function addColumn(cursor: Cursor, subject: Subject, table: ObjectName, column: Column): void {
  const place = { made: subject.made, table, tokens: cursor.table };
  requireFilled(subject, table, column.name, column);
  const broken = column.unique ? uniqueBreaks(place, [column.name], null) : null;
  if (broken !== null) subject.report("breaks", broken, { kind: "rule" });
  const checked = column.check === null ? null : checkBreaks(place, column.check);
  if (checked !== null) subject.report(checked.level, checked.message, { kind: "rule" });
}

/** A NOT NULL column that the running release does not write needs a value from the database. */
function requireFilled(
  subject: Subject,
  table: ObjectName,
  column: string,
  { notNull, filled }: Pick<Column, "notNull" | "filled">,
): void {
  if (!notNull || filled || isNewTable({ made: subject.made, table })) return;
  subject.report(
    "breaks",
    `${column} is NOT NULL and needs a DEFAULT: the running release does not write it`,
    { kind: "default" },
  );
}

/** Changes a column that the script itself added. */
function change(
  subject: Subject,
  table: ObjectName,
  column: string,
  to: Partial<Pick<Column, "notNull" | "filled">>,
): void {
  const facts = subject.made.column(table, column);
  if (facts === null) return;
  subject.made.setFacts(table, column, { ...facts, ...to });
  requireFilled(subject, table, column, { ...facts, ...to });
}

function addRule(cursor: Cursor, subject: Subject, table: ObjectName, rule: Rule): void {
  const place = { made: subject.made, table, tokens: cursor.table };
  if (rule.name !== null)
    subject.made.add("constraint", { key: `${table.key}.${rule.name}`, object: rule.name });
  const [column] = rule.columns;
  if (rule.is === "default" && column !== undefined) {
    if (rule.name !== null) subject.defaults.add(table, rule.name, column);
    change(subject, table, column, { filled: true });
  }
  if (rule.is === "unique") {
    const broken = uniqueBreaks(place, rule.columns, rule.condition);
    if (broken !== null) subject.report("breaks", broken, { kind: "rule" });
  } else if (rule.is === "foreign key") {
    const broken = foreignKeyBreaks(place, rule.columns);
    if (broken !== null) subject.report("breaks", broken, { kind: "rule" });
  } else if (rule.is === "check") {
    const checked = checkBreaks(place, rule.condition!);
    if (checked !== null) subject.report(checked.level, checked.message, { kind: "rule" });
  }
}

/** `DROP CONSTRAINT k, COLUMN b`: a word before a name also applies to the names after it. */
function drop(cursor: Cursor, subject: Subject, table: ObjectName, isNewHere: boolean): void {
  let what = "CONSTRAINT";
  do {
    if (/^(?:COLUMN|CONSTRAINT|INDEX)$/.test(cursor.word())) {
      what = cursor.word();
      cursor.next();
    } else if (cursor.is("PERIOD", "FOR")) {
      if (!isNewHere) subject.report("unknown", "the times of its rows are no longer recorded");
      return;
    }
    cursor.take("IF", "EXISTS");
    const name = cursor.part();
    if (what === "COLUMN" && name !== null) dropColumn(subject, table, name, isNewHere);
    if (what === "CONSTRAINT") {
      subject.defaults.drop(table);
      const column = name === null ? null : subject.defaults.columnOf(table, name);
      if (column !== null) change(subject, table, column, { filled: false });
    }
    walk(cursor, (word) => word === ",");
  } while (cursor.take(","));
}

function dropColumn(subject: Subject, table: ObjectName, column: string, isNewHere: boolean): void {
  if (isNewHere || subject.made.hasColumn(table, column)) return;
  subject.report("breaks", `drops a column ${MAY_USE}`, { kind: "drop" });
  if (!subject.isContract) return;
  const advice = subject.defaults.advice(table, column, subject.schema.column(table, column));
  if (advice !== null) subject.report("advice", advice);
}

function alterColumn(cursor: Cursor, subject: Subject, table: ObjectName, isNewHere: boolean): void {
  const column = cursor.part();
  const isNew = column === null || isNewHere || subject.made.hasColumn(table, column);
  if (cursor.is("ADD") || cursor.is("DROP")) {
    cursor.next();
    const option = cursor.word();
    cursor.next();
    // NOT FOR REPLICATION, MASKED WITH (...)
    if (!isNew) subject.report("unknown", `${option} changes what a query reads or writes there`);
    return;
  }
  const type = readType(cursor);
  let notNull = false;
  walk(cursor, (word) => {
    if (word === "NOT" && cursor.word(1) === "NULL") notNull = true;
  });
  if (column === null || type === null) return;
  const known = subject.schema.column(table, column);
  subject.schema.setColumn(table, { name: column, type, notNull, defaultName: known?.defaultName });
  if (isNew) return change(subject, table, column, { notNull });
  if (known !== null && isWider(known, { type, notNull })) return;
  subject.report(
    "breaks",
    "changes a column: a narrower type, or NOT NULL, refuses what the running release writes",
    { kind: "column" },
  );
}

function set(cursor: Cursor, subject: Subject, table: ObjectName, isNewHere: boolean): void {
  if (isNewHere) return;
  const options = cursor.copy();
  options.take("(");
  if (options.take("SYSTEM_VERSIONING", "=")) {
    if (options.is("ON")) subject.replacements.put("versioning", table);
    else subject.replacements.drop("versioning", table, subject.here());
    return;
  }
  // SQL Server's default; Management Studio writes it after each table that it changes.
  if (!options.is("LOCK_ESCALATION", "=", "TABLE")) subject.report("unknown", UNKNOWN);
}

function enable(cursor: Cursor, subject: Subject, table: ObjectName, isChecked: boolean): void {
  cursor.next();
  cursor.take("CONSTRAINT");
  const name = cursor.part();
  // Management Studio writes this after each WITH CHECK ADD CONSTRAINT.
  const isNewHere = name !== null && subject.made.has("constraint", { key: `${table.key}.${name}` });
  if (isNewHere || isNewTable({ made: subject.made, table })) return;
  const check = isChecked ? ", and checks each existing row" : "";
  subject.report("unknown", `enables a constraint that the running release's writes may violate${check}`);
}
