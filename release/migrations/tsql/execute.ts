/** `EXEC`: known system procedures, and dynamic SQL that is linted too. */
import { RENAMES } from "../finding";
import type { Broken } from "../finding";
import { NAME, STRING, WORD } from "../lexer";
import type { TokenTable } from "../lexer";
import type { Cursor } from "./cursor";
import { literal } from "./cursor";
import { nameInString, readName } from "./object-name";
import { MAY_USE } from "./subject";
import type { Subject } from "./subject";

const TAKES_RIGHTS: Broken = { kind: "other", message: `revokes permissions ${MAY_USE}` };

const BREAK: Readonly<Record<string, Broken>> = {
  sp_rename: RENAMES,
  sp_renamedb: RENAMES,
  sp_changeobjectowner: RENAMES,
  sp_droprolemember: TAKES_RIGHTS,
  sp_dropsrvrolemember: TAKES_RIGHTS,
  sp_droprole: TAKES_RIGHTS,
  sp_dropapprole: TAKES_RIGHTS,
  sp_dropuser: TAKES_RIGHTS,
  sp_droplogin: TAKES_RIGHTS,
  sp_revokedbaccess: TAKES_RIGHTS,
  sp_revokelogin: TAKES_RIGHTS,
  sp_droptype: { kind: "drop", message: `drops something ${MAY_USE}` },
  sp_detach_db: { kind: "other", message: "shuts the running release out" },
};

const HARMLESS: ReadonlySet<string> = new Set(
  (
    "sp_refreshsqlmodule sp_refreshview sp_recompile sp_updatestats sp_createstats sp_autostats sp_addextendedproperty " +
    "sp_updateextendedproperty sp_dropextendedproperty sp_getapplock sp_releaseapplock sp_addrole sp_addrolemember " +
    "sp_grantdbaccess sp_adduser sp_addtype sp_help sp_helptext sp_helpindex sp_helpconstraint sp_spaceused sp_who sp_who2 " +
    "sp_lock sp_set_session_context sp_xml_preparedocument sp_xml_removedocument sp_sequence_get_range sp_describe_first_result_set"
  ).split(" "),
);

/** Placeholder for a variable's value in dynamic SQL. A letter, so that it becomes part of a surrounding name. */
const VARIABLE = "\uA7FF";

/** @param cursor after `EXEC`, or at a procedure's name where none is needed. */
export function execute(cursor: Cursor, subject: Subject): void {
  if (cursor.is("(")) {
    cursor.next();
    return run(cursor, subject);
  }
  if (cursor.is("AS"))
    return subject.report("unknown", "from here on it runs with another user's permissions");
  if (cursor.word().startsWith("@") && cursor.word(1) === "=") cursor.position += 2;
  const procedure = readName(cursor);
  const name = procedure?.object ?? "";
  if (name === "sp_executesql") {
    if (cursor.word().startsWith("@") && cursor.word(1) === "=") cursor.position += 2;
    return run(cursor, subject);
  }
  if (HARMLESS.has(name)) return;
  if (name === "sp_rename" && !renames(cursor, subject)) return;
  const broken = Object.hasOwn(BREAK, name) ? BREAK[name] : undefined;
  if (broken !== undefined) subject.report("breaks", broken.message, broken);
  else
    subject.report("unknown", `runs ${procedure?.shown ?? "a procedure"}, which the linter does not check`);
}

/** Whether a release may use what sp_rename renames. No release uses an index by name, or what the script itself created. */
function renames(cursor: Cursor, { made }: Subject): boolean {
  const strings: string[] = [];
  const ahead = cursor.copy();
  for (let count = 0; count < MOST_ARGUMENTS && !ahead.done && !ahead.is(";"); count += 1) {
    if (ahead.isString) strings.push(ahead.text());
    ahead.next();
  }
  const [what, , kind] = strings;
  if (kind !== undefined && /^(?:INDEX|STATISTICS)$/i.test(literal(kind))) return false;
  return what === undefined || kind !== undefined || !made.has("table", nameInString(what));
}

/** `sp_rename @objname = 'a', @newname = 'b', @objtype = 'INDEX'`, in tokens. */
const MOST_ARGUMENTS = 11;

/** Lints dynamic SQL: literals with variables between them. */
function run(cursor: Cursor, subject: Subject): void {
  const line = cursor.table.line(cursor.position);
  let text = "";
  let isKnown = false;
  do {
    if (cursor.isString) {
      isKnown = true;
      text += literal(cursor.text());
      cursor.next();
    } else {
      text += cursor.is("QUOTENAME") ? `[${VARIABLE}]` : VARIABLE;
      cursor.next();
      cursor.skipParentheses();
    }
  } while (cursor.take("+"));
  if (isKnown) subject.look(text, line);
  else subject.report("unknown", "runs SQL that is not in the script: check what it does");
}

/** Whether a variable can be more than a name, a part of a name, or a part of a string. */
export function hasOpenVariable(tokens: TokenTable): boolean {
  for (let index = 0; index < tokens.length; index += 1) {
    const kind = tokens.kind(index);
    if (kind === STRING || kind === NAME || !tokens.text(index).includes(VARIABLE)) continue;
    const before = index === 0 ? "" : tokens.text(index - 1).toUpperCase();
    const isName =
      /^(?:CONSTRAINT|\.)$/.test(before) || (index + 1 < tokens.length && tokens.text(index + 1) === ".");
    if (kind !== WORD || !isName) return true;
  }
  return false;
}
