/** Procedures, functions, views and triggers: SQL Server's modules. Each is the rest of its batch. */
import { WORD } from "../lexer";
import type { Cursor } from "./cursor";
import type { ObjectName } from "./object-name";
import { readName } from "./object-name";
import type { Parameter } from "./schema";
import type { Subject } from "./subject";
import { UNKNOWN } from "./subject";

const KINDS: Readonly<Record<string, string>> = {
  PROC: "PROCEDURE",
  PROCEDURE: "PROCEDURE",
  FUNCTION: "FUNCTION",
  VIEW: "VIEW",
  TRIGGER: "TRIGGER",
};

/** @returns null if the word is none of them. */
export function moduleKind(word: string): string | null {
  return KINDS[word] ?? null;
}

/** What makes a module, or gives it another body. */
export type Verb = "CREATE" | "CREATE OR ALTER" | "ALTER";

/** @param cursor at the word that names the kind; afterwards at the batch's end. */
export function readModule(cursor: Cursor, subject: Subject, verb: Verb): void {
  const kind = moduleKind(cursor.word())!;
  cursor.next();
  const name = readName(cursor);
  if (name === null) return subject.report("unknown", UNKNOWN);
  if (!subject.isFirst) subject.report("fails", notFirst(kind));
  const changed = compare(kind, name, cursor, subject);
  if (changed !== null) subject.report("breaks", changed);
  const isKnown = subject.schema.parametersOf(name) !== null || subject.made.hasOrAsked(kind, name);
  if (verb === "ALTER" && !isKnown) {
    subject.report("unknown", "changes what the running release may use: look whether it still can");
  }
  if (verb !== "ALTER") subject.made.add(kind, name);
  subject.replacements.put(kind, name);
  // Made under a condition it is a stand-in, to be altered: `IF OBJECT_ID('p') IS NULL EXEC('CREATE PROCEDURE p AS RETURN')`.
  const hasParameters = kind === "PROCEDURE" || kind === "FUNCTION";
  if (hasParameters && !subject.made.isConditional)
    subject.schema.setParameters(name, readParameters(cursor));
  readBody(cursor, subject);
}

export function notFirst(kind: string): string {
  return `a ${kind.toLowerCase()} has to be the first statement of its batch, or SQL Server refuses it: put GO on a line before it`;
}

/** What the module no longer takes from its callers; null if nothing is known against it. */
function compare(kind: string, name: ObjectName, cursor: Cursor, { schema, made }: Subject): string | null {
  const before = schema.parametersOf(name);
  if (before === null || made.has(kind, name)) return null;
  const now = readParameters(cursor.copy());
  const lost = before.find((parameter) => !now.some((each) => each.name === parameter.name));
  if (lost !== undefined) return `no longer takes ${lost.name}, which the running release may pass`;
  // A function's callers pass each parameter, or the word DEFAULT for it.
  const added = now.find(
    ({ name: added, hasDefault }) =>
      (kind === "FUNCTION" || !hasDefault) && !before.some((parameter) => parameter.name === added),
  );
  if (added !== undefined) return `needs ${added.name}, which the running release does not pass`;
  return null;
}

/** `@a int = 1, @b AS dbo.List READONLY`, in parentheses or not. */
function readParameters(cursor: Cursor): Parameter[] {
  const found: Parameter[] = [];
  if (cursor.take(";")) cursor.next(); // p;1
  cursor.take("(");
  while (cursor.word().startsWith("@")) {
    const name = cursor.word().toLowerCase();
    cursor.next();
    cursor.take("AS");
    let hasDefault = false;
    while (!cursor.done && !/^(?:,|\)|AS|WITH|FOR|RETURNS|;)$/.test(cursor.word())) {
      if (cursor.is("=")) hasDefault = true;
      if (cursor.is("(")) cursor.skipParentheses();
      else cursor.next();
    }
    found.push({ name, hasDefault });
    if (!cursor.take(",")) break;
  }
  return found;
}

/** What is in it runs later. Only another module can't be made there. */
function readBody(cursor: Cursor, subject: Subject): void {
  let isTold = !subject.isFirst;
  for (; !cursor.done; cursor.next()) {
    const kind = isTold ? null : moduleBegunAt(cursor);
    if (kind === null) continue;
    subject.report("fails", notFirst(kind), { token: cursor.position });
    isTold = true;
  }
}

/** @returns the kind of the module that is made or changed here: `CREATE OR ALTER VIEW`; null if none is. */
export function moduleBegunAt(cursor: Cursor): string | null {
  if (cursor.kind() !== WORD) return null;
  const length = cursor.table.end(cursor.position) - cursor.table.start(cursor.position);
  if (length !== 6 && length !== 5) return null;
  const word = cursor.word();
  if (word !== "CREATE" && word !== "ALTER") return null;
  // GRANT CREATE VIEW, and the ALTER of CREATE OR ALTER.
  if (/^(?:GRANT|DENY|REVOKE|OR|,)$/.test(cursor.word(-1))) return null;
  return moduleKind(cursor.is("CREATE", "OR", "ALTER") ? cursor.word(3) : cursor.word(1));
}
