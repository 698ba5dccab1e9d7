/**
 * Where a T-SQL statement ends: at a semicolon or without one, where a word comes that only begins a statement. These
 * words are reserved, so a name is one of them only in brackets or quotes, which makes it another kind of token.
 */
import { SYMBOL, WORD } from "../lexer";
import type { Cursor } from "./cursor";

const BEGIN_STATEMENTS: ReadonlySet<string> = new Set(
  (
    "ALTER BACKUP BEGIN BREAK BULK CHECKPOINT CLOSE COMMIT CONTINUE CREATE DBCC DEALLOCATE DECLARE DELETE DENY DROP ELSE END " +
    "EXEC EXECUTE FETCH GOTO GRANT IF INSERT KILL MERGE OPEN PRINT RAISERROR READTEXT RECONFIGURE RESTORE RETURN REVERT " +
    "REVOKE ROLLBACK SAVE SELECT SET SHUTDOWN TRUNCATE UPDATE UPDATETEXT USE WAITFOR WHILE WRITETEXT"
  ).split(" "),
);

const DATA: ReadonlySet<string> = new Set(["DELETE", "INSERT", "UPDATE"]);

/** Words behind which INSERT, UPDATE and DELETE name an event: `AFTER INSERT`, `FOR UPDATE OF`. */
const NAME_EVENTS: ReadonlySet<string> = new Set(["AFTER", "BEFORE", "FOR", "OF", "THEN"]);

/** Whether the word here begins another statement, seen from within one. */
export function beginsStatement(cursor: Cursor): boolean {
  if (cursor.kind() !== WORD) return false;
  const word = cursor.word();
  if (word === "DISABLE" || word === "ENABLE") return cursor.word(1) === "TRIGGER";
  if (word === "THROW") return cursor.word(1) === ";" || cursor.kind(1) > 1;
  if (!BEGIN_STATEMENTS.has(word)) return false;
  if (word === "MERGE" && cursor.word(1) === "JOIN") return false;
  const before = cursor.word(-1);
  if (before === ",") return false;
  if (DATA.has(word)) return !NAME_EVENTS.has(before) && !(word === "UPDATE" && cursor.word(1) === "(");
  // WITH ROLLBACK IMMEDIATE, WITH EXECUTE AS OWNER, WITH GRANT OPTION
  return !(before === "WITH" && /^(?:ROLLBACK|EXEC|EXECUTE|GRANT)$/.test(word));
}

/** Whether a block begins here, and not a transaction or a conversation. */
export function beginsBlock(cursor: Cursor): boolean {
  return cursor.is("BEGIN") && !/^(?:TRAN|TRANSACTION|DISTRIBUTED|DIALOG|CONVERSATION)$/.test(cursor.word(1));
}

/**
 * Moves over what is left of a statement, parentheses and CASE as one.
 * @param visit sees each word and symbol outside of them: it may move the cursor on, or say true to stop before it.
 */
export function walk(cursor: Cursor, visit: (word: string) => boolean | void = () => false): void {
  let cases = 0;
  while (!cursor.done) {
    const kind = cursor.kind();
    if (kind !== WORD && kind !== SYMBOL) {
      cursor.next();
      continue;
    }
    const word = cursor.word();
    if (cases === 0) {
      if (word === ";" || beginsStatement(cursor)) return;
      const before = cursor.position;
      if (visit(word) === true) return;
      if (cursor.position !== before) continue;
    }
    if (word === "(") {
      cursor.skipParentheses();
      continue;
    }
    if (word === "CASE") cases += 1;
    else if (word === "END") cases -= 1;
    cursor.next();
  }
}
