/** Statements that change rows, and whether they remove rows from the running release. */
import type { Cursor } from "./cursor";
import { unquoted } from "./cursor";
import type { ObjectName } from "./object-name";
import { isTemporary, readName } from "./object-name";
import { walk } from "./statement-end";
import type { Subject } from "./subject";

const REMOVES = "removes rows that the running release may still use";

/** @param cursor after `DELETE`. */
export function deleteRows(cursor: Cursor, subject: Subject): void {
  if (cursor.take("TOP")) {
    cursor.skipParentheses();
    cursor.take("PERCENT");
  }
  cursor.take("FROM");
  const named = readName(cursor);
  const table = named === null ? null : aliased(cursor, named);
  if (table === null || !isNewHere(subject, table)) subject.report("breaks", REMOVES);
}

/** The table that `DELETE x FROM dbo.a AS x` means by x. */
function aliased(cursor: Cursor, named: ObjectName): ObjectName {
  let found = named;
  const isAlias = !named.shown.includes(".");
  walk(cursor, (word) => {
    if (!isAlias || !/^(?:FROM|JOIN|,)$/.test(word)) return;
    cursor.next();
    const table = readName(cursor);
    cursor.take("AS");
    if (table !== null && cursor.isNamePart() && unquoted(cursor.text()).toLowerCase() === named.object)
      found = table;
  });
  return found;
}

/** @param cursor after `TRUNCATE`. */
export function truncate(cursor: Cursor, subject: Subject): void {
  cursor.take("TABLE");
  const table = readName(cursor);
  if (table === null || !isNewHere(subject, table)) subject.report("breaks", REMOVES);
}

/** @param cursor after `MERGE`. Words after THEN do not begin a statement. */
export function merge(cursor: Cursor, subject: Subject): void {
  if (cursor.take("TOP")) {
    cursor.skipParentheses();
    cursor.take("PERCENT");
  }
  cursor.take("INTO");
  const table = readName(cursor);
  let removes = false;
  walk(cursor, (word) => {
    if (word !== "THEN") return;
    cursor.next();
    removes ||= cursor.is("DELETE");
    cursor.next();
    cursor.take("SET");
  });
  if (removes && (table === null || !isNewHere(subject, table))) subject.report("breaks", REMOVES);
}

/** @param cursor after `UPDATE`: its SET does not begin a statement. */
export function update(cursor: Cursor): void {
  walk(cursor);
  cursor.take("SET");
}

/** @param cursor after `SELECT`: with INTO it creates a table. */
export function select(cursor: Cursor, subject: Subject): void {
  walk(cursor, (word) => {
    if (word !== "INTO") return;
    cursor.next();
    const table = readName(cursor);
    if (table !== null) subject.made.add("table", table);
  });
}

function isNewHere({ made }: Subject, table: ObjectName): boolean {
  return isTemporary(table) || made.has("table", table);
}
