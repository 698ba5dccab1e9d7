/** `GRANT`, `DENY` and `REVOKE`. Their lists hold words that begin a statement elsewhere: `GRANT SELECT, DELETE ON t TO app`. */
import type { Cursor } from "./cursor";
import { readName } from "./object-name";
import { MAY_USE } from "./subject";
import type { Subject } from "./subject";

/** @param cursor behind the verb. */
export function permission(cursor: Cursor, subject: Subject, verb: "GRANT" | "DENY" | "REVOKE"): void {
  if (verb !== "GRANT") subject.report("breaks", `takes rights ${MAY_USE}`);
  for (; !cursor.done && !/^(?:TO|FROM|;)$/.test(cursor.word()); cursor.next()) {
    if (!cursor.is("ON") || verb !== "GRANT") continue;
    cursor.next();
    cursor.take("OBJECT", ":", ":");
    const name = readName(cursor);
    if (name !== null) subject.replacements.grant(name);
    cursor.position -= 1;
  }
}
