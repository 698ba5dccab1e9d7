/**
 * T-SQL: what must begin a batch, and what must not be in one with the statement before it, gets a GO. A module (view,
 * procedure, function, trigger) must be the first in its batch. Rows can't be changed by a column's name in the batch
 * that adds it, as the server looks names up before it runs the first statement.
 */
import { InvalidInput } from "../refusal";
import { batches, tokens } from "./sql-text";
import type { Token } from "./sql-text";

const MODULE = /^(VIEW|PROC|PROCEDURE|FUNCTION|TRIGGER)$/;
const USES_ROWS = /^(UPDATE|INSERT|DELETE|MERGE|SELECT)$/;
/** Behind these, a verb is about rights or events, or goes on with a statement. */
const GOES_ON = /^(GRANT|DENY|REVOKE|FOR|AFTER|OF|THEN|OR|,|\.|=|\()$/;
/** A SELECT may belong to what began before it. */
const ENDS_ROWS = /^(UPDATE|INSERT|DELETE|MERGE|EXEC|EXECUTE|ALTER|CREATE|IF|DECLARE|PRINT|;)$/;
const BEGINS_OTHERS = /^(UPDATE|INSERT|DELETE|MERGE|SELECT|EXEC|EXECUTE|ALTER|CREATE|IF|DECLARE|PRINT|;)$/;
/** What ALTER TABLE ... ADD names that is no column. */
const NO_COLUMN = /^(CONSTRAINT|DEFAULT|UNIQUE|CHECK|PRIMARY|FOREIGN|INDEX|PERIOD)$/;

/**
 * @param sql one script.
 * @returns the same text where every batch is fit to be run.
 * @throws InvalidInput naming the line, where a GO would part a block, or a variable from its use.
 */
export function withOwnBatches(sql: string): string {
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

/** What a comment says is about the batch after it: a GO between them goes. */
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

/** Where a batch is to be parted: positions of what begins the next one. */
function cutsIn(text: string, firstLine: number): number[] {
  const all = [...tokens(text, "mssql")];
  const code = all.filter(({ kind }) => kind !== "comment");
  const cuts: number[] = [];
  const added = new Set<string>();
  let begins = 0;
  let depth = 0;
  let inModule = false;
  for (const [index, token] of code.entries()) {
    const isModule = moduleAt(code, index);
    const needsOwn = isModule ? index > begins : !inModule && usesAdded(code, index, added);
    if (needsOwn) {
      // A module sees no variable of the batch before it.
      const from = isModule ? index : begins;
      refuseParting(code, { from, at: index, depth, line: firstLine + token.line - 1 });
      cuts.push(withCommentsBefore(all, token));
      begins = index;
      added.clear();
    }
    inModule ||= isModule;
    depth += depthChange(code, index);
    if (!inModule) for (const column of columnsAddedAt(code, index)) added.add(column);
  }
  return cuts;
}

/** CREATE VIEW, ALTER PROCEDURE, CREATE OR ALTER TRIGGER ... */
function moduleAt(code: readonly Token[], at: number): boolean {
  const word = wordAt(code, at);
  if ((word !== "CREATE" && word !== "ALTER") || GOES_ON.test(textAt(code, at - 1))) return false;
  const orAlter = wordAt(code, at + 1) === "OR" && wordAt(code, at + 2) === "ALTER";
  return MODULE.test(wordAt(code, at + (orAlter ? 3 : 1)));
}

/** Whether a statement begins there that reads or writes a column which this batch adds. */
function usesAdded(code: readonly Token[], at: number, added: ReadonlySet<string>): boolean {
  const word = wordAt(code, at);
  const before = textAt(code, at - 1);
  if (added.size === 0 || !USES_ROWS.test(word) || goesOn(before)) return false;
  if (word === "SELECT" && before !== ";") return false;
  if (word === "MERGE" && wordAt(code, at + 1) === "JOIN") return false;
  for (let index = at + 1; index < code.length; index += 1) {
    const text = textAt(code, index);
    if (ENDS_ROWS.test(text) && !goesOn(textAt(code, index - 1))) return false;
    if (added.has(plain(code[index]!))) return true;
  }
  return false;
}

/** Also ON DELETE CASCADE. */
function goesOn(before: string): boolean {
  return before === "ON" || GOES_ON.test(before);
}

/** ALTER TABLE t [WITH CHECK] ADD a int, CONSTRAINT k ..., b int: a and b. */
function columnsAddedAt(code: readonly Token[], at: number): string[] {
  if (wordAt(code, at) !== "ALTER" || wordAt(code, at + 1) !== "TABLE") return [];
  let index = at + 3;
  while (textAt(code, index) === ".") index += 2;
  if (wordAt(code, index) === "WITH") index += 2;
  if (wordAt(code, index) !== "ADD") return [];
  const found: string[] = [];
  let depth = 0;
  let opensElement = true;
  for (index += 1; index < code.length && !BEGINS_OTHERS.test(textAt(code, index)); index += 1) {
    const token = code[index]!;
    if (opensElement && !NO_COLUMN.test(wordAt(code, index))) found.push(plain(token));
    depth += token.text === "(" ? 1 : token.text === ")" ? -1 : 0;
    opensElement = token.text === "," && depth === 0;
  }
  return found;
}

function refuseParting(
  code: readonly Token[],
  { from, at, depth, line }: Readonly<Record<"from" | "at" | "depth" | "line", number>>,
): void {
  const what = `line ${line}: ${textAt(code, at)} ${textAt(code, at + 1)} needs a batch of its own`;
  if (depth > 0) {
    throw new InvalidInput(
      `${what}, and stands inside of a block or parentheses: write EXEC(N'...') around it`,
    );
  }
  const variables = new Set(code.slice(from, at).filter(isVariable).map(plain));
  const used = code.slice(at).find((token) => isVariable(token) && variables.has(plain(token)));
  if (used !== undefined) {
    throw new InvalidInput(
      `${what}, and ${used.text} is used on both sides: write GO before it, and declare the variable anew`,
    );
  }
}

/** BEGIN ... END, CASE ... END and parentheses. */
function depthChange(code: readonly Token[], at: number): number {
  const text = textAt(code, at);
  const next = wordAt(code, at + 1);
  if (text === "(") return 1;
  if (text === ")") return -1;
  const word = wordAt(code, at);
  if (word === "CASE") return 1;
  if (word === "BEGIN") return /^(TRAN|TRANSACTION|DISTRIBUTED|DIALOG|CONVERSATION)$/.test(next) ? 0 : 1;
  return word === "END" && next !== "CONVERSATION" ? -1 : 0;
}

/** What a comment says is about the statement after it. */
function withCommentsBefore(all: readonly Token[], token: Token): number {
  let index = all.indexOf(token);
  while (index > 0 && all[index - 1]!.kind === "comment" && all[index - 1]!.line !== all[index - 2]?.line)
    index -= 1;
  return all[index]!.start;
}

function isVariable({ kind, text }: Token): boolean {
  return kind === "word" && text.startsWith("@") && !text.startsWith("@@");
}

function textAt(code: readonly Token[], at: number): string {
  return code[at]?.text.toUpperCase() ?? "";
}

/** Empty where no word is there: a quoted name is none. */
function wordAt(code: readonly Token[], at: number): string {
  return code[at]?.kind === "word" ? code[at].text.toUpperCase() : "";
}

/** Names are the same in any letters, in brackets or without. */
function plain({ kind, text }: Token): string {
  return (kind === "name" ? text.slice(1, -1) : text).toLowerCase();
}
