/** `GRANT`, `DENY` and `REVOKE`. Their lists hold words that begin a statement elsewhere: `GRANT SELECT, DELETE ON t TO app`. */
import type { Cursor } from "./cursor";
import { readName } from "./object-name";
import { beginsStatement } from "./statement-end";
import { MAY_USE } from "./subject";
import type { Subject } from "./subject";

/** @param cursor after the verb. */
export function permission(cursor: Cursor, subject: Subject, verb: "GRANT" | "DENY" | "REVOKE"): void {
  if (verb !== "GRANT") subject.report("breaks", `revokes permissions ${MAY_USE}`);
  for (; !cursor.done && !isListEnd(cursor); cursor.next()) {
    if (!cursor.is("ON") || verb !== "GRANT") continue;
    cursor.next();
    cursor.take("OBJECT", ":", ":");
    const name = readName(cursor);
    if (name !== null) subject.replacements.grant(name);
    cursor.position -= 1;
  }
}

function isListEnd(cursor: Cursor): boolean {
  const word = cursor.word();
  return /^(?:TO|FROM|;)$/.test(word) || (beginsStatement(cursor) && !RIGHTS.test(word));
}

/** Rights, or the first words of some. */
const RIGHTS = /^(?:ALTER|BACKUP|CREATE|DELETE|EXEC|EXECUTE|INSERT|KILL|SELECT|SHUTDOWN|UPDATE|GRANT)$/;
