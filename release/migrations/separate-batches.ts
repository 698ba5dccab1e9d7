/**
 * T-SQL: adds a GO before statements that must begin a batch or be in another batch than the statement before. A module
 * (view, procedure, function, trigger) must be first in its batch. Statements can't use a column in the batch that adds it,
 * because the server resolves names before it runs the first statement.
 */
import { InvalidInput } from "../failure";
import { WORD } from "./lexer";
import { batches, tokens } from "./sql-text";
import type { Token } from "./sql-text";
import { columnsAddedAt } from "./tsql/alter-table";
import { Cursor, readCode, unquoted } from "./tsql/cursor";
import { moduleBegunAt } from "./tsql/modules";
import { beginsBlock, beginsStatement } from "./tsql/statement-end";

const USES_ROWS = /^(?:UPDATE|INSERT|DELETE|MERGE|SELECT)$/;
/** After these, such a word is a permission, an event, or part of a statement: ON DELETE CASCADE. */
const WITHIN = /^(?:GRANT|DENY|REVOKE|ON|\()$/;

/**
 * @param sql one script.
 * @returns the same text, in which every batch can run.
 * @throws InvalidInput naming the line, if a GO would split a block, or separate a variable from its use.
 */
export function inSeparateBatches(sql: string): string {
  const done: string[] = [];
  let position = 0;
  for (const { text, line } of batches(sql)) {
    const start = sql.indexOf(text, position);
    const cuts = cutsIn(text, line);
    const parts = [0, ...cuts].map((from, index) => text.slice(from, cuts[index]));
    const parted = parts.map((part, index) => (index < cuts.length ? part.trimEnd() : part));
    done.push(withItsComments(sql.slice(position, start)), parted.join("\nGO\n\n"));
    position = start + text.length;
  }
  return [...done, sql.slice(position)].join("");
}

/** A comment belongs to the batch after it: removes a GO between them. */
function withItsComments(between: string): string {
  const all = [...tokens(between, "mssql")];
  const comment = all.findIndex(
    ({ kind, line }, index) => kind === "comment" && line !== all[index - 1]?.line,
  );
  const parting = comment === -1 ? [] : all.slice(comment).filter(({ kind }) => kind === "word");
  return parting.reduceRight(
    (text, { start }) => text.slice(0, start).trimEnd() + text.slice(start + "GO".length),
    between,
  );
}

/** Where to split a batch: the positions at which the next one begins. */
function cutsIn(text: string, firstLine: number): number[] {
  const all = [...tokens(text, "mssql")];
  const { table } = readCode(text);
  const cursor = new Cursor(table, 0, table.length);
  const cuts: number[] = [];
  const added = new Set<string>();
  let begins = 0;
  let depth = 0;
  let inModule = false;
  for (; !cursor.done; cursor.next()) {
    const isModule = moduleBegunAt(cursor) !== null;
    const needsBatch = isModule ? cursor.position > begins : !inModule && usesAdded(cursor, added);
    if (needsBatch) {
      const what = `line ${firstLine + table.line(cursor.position) - 1}: ${cursor.text().toUpperCase()} ${cursor.text(1).toUpperCase()} needs a separate batch`;
      // A module sees no variable of the batch before it.
      refuseParting(cursor, { from: isModule ? cursor.position : begins, depth, what });
      cuts.push(withCommentsBefore(all, table.start(cursor.position)));
      begins = cursor.position;
      added.clear();
    }
    inModule ||= isModule;
    depth += depthChange(cursor);
    if (!inModule) for (const column of columnsAddedAt(cursor)) added.add(column);
  }
  return cuts;
}

/** Whether a statement begins here that uses a column which this batch adds. */
function usesAdded(cursor: Cursor, added: ReadonlySet<string>): boolean {
  if (added.size === 0 || !USES_ROWS.test(cursor.word()) || !beginsStatement(cursor)) return false;
  const before = cursor.word(-1);
  // A SELECT may be part of the statement before it.
  if (WITHIN.test(before) || (cursor.is("SELECT") && before !== ";")) return false;
  const ahead = cursor.copy();
  for (ahead.next(); !ahead.done && !endsRows(ahead); ahead.next())
    if (ahead.isNamePart() && added.has(unquoted(ahead.text()).toLowerCase())) return true;
  return false;
}

/** Words that begin a statement in other places: UPDATE ... SET, INSERT ... SELECT, CASE ... ELSE ... END, OFFSET ... FETCH. */
const PARTS_OF_ROWS = /^(?:SET|SELECT|ELSE|END|FETCH)$/;

function endsRows(cursor: Cursor): boolean {
  if (cursor.is(";")) return true;
  return !PARTS_OF_ROWS.test(cursor.word()) && !WITHIN.test(cursor.word(-1)) && beginsStatement(cursor);
}

function refuseParting(
  cursor: Cursor,
  { from, depth, what }: { readonly from: number; readonly depth: number; readonly what: string },
): void {
  if (depth > 0) {
    throw new InvalidInput(`${what}, but is inside a block or parentheses: wrap it in EXEC(N'...')`);
  }
  const { table, position } = cursor;
  const variables = new Set<string>();
  for (let index = from; index < table.length; index += 1) {
    const text = table.text(index);
    if (table.kind(index) !== WORD || !/^@(?!@)/.test(text)) continue;
    if (index < position) variables.add(text.toLowerCase());
    else if (variables.has(text.toLowerCase())) {
      throw new InvalidInput(
        `${what}, but ${text} is used on both sides: write GO before it, and declare the variable again`,
      );
    }
  }
}

/** BEGIN ... END, CASE ... END and parentheses. */
function depthChange(cursor: Cursor): number {
  switch (cursor.word()) {
    case "(":
    case "CASE":
      return 1;
    case ")":
      return -1;
    case "BEGIN":
      return beginsBlock(cursor) ? 1 : 0;
    case "END":
      return cursor.word(1) === "CONVERSATION" ? 0 : -1;
    default:
      return 0;
  }
}

/** A comment belongs to the statement after it. @param start of a token. @returns where the comments before it start. */
function withCommentsBefore(all: readonly Token[], start: number): number {
  let index = all.findIndex((token) => token.start === start);
  while (index > 0 && all[index - 1]!.kind === "comment" && all[index - 1]!.line !== all[index - 2]?.line)
    index -= 1;
  return all[index]!.start;
}
