/** `DISABLE TRIGGER` and `ENABLE TRIGGER`, as statements and as actions of `ALTER TABLE`. */
import type { Cursor } from "./cursor";
import type { ObjectName } from "./object-name";
import { isTemporary, readName } from "./object-name";
import { walk } from "./statement-end";
import type { Subject } from "./subject";

/** @param cursor at the word TRIGGER. @param of the table, where it is known; else it comes behind ON. */
export function switchTriggers(
  cursor: Cursor,
  subject: Subject,
  { on, table: known }: { readonly on: boolean; readonly table?: ObjectName },
): void {
  cursor.next();
  const triggers: ObjectName[] = [];
  do {
    const trigger = readName(cursor);
    if (trigger !== null) triggers.push(trigger);
  } while (cursor.take(","));
  const table = known ?? (cursor.take("ON") ? readName(cursor) : null);
  walk(cursor);
  if (table !== null && (isTemporary(table) || subject.made.has("table", table))) return;
  let isOther = triggers.length === 0;
  for (const { object, shown } of triggers) {
    const key = `${table?.key ?? ""}.${object}`;
    const trigger = { key, object, shown };
    if (!on) subject.replacements.drop("trigger", trigger, subject.here());
    else if (!subject.replacements.put("trigger", trigger)) isOther = true;
  }
  if (on && isOther) {
    subject.report(
      "unknown",
      "a trigger that is enabled again may refuse or change what the running release writes",
    );
  }
}
