/**
 * EF Core copies the text of `migrationBuilder.Sql()` into a script unchanged. Without a semicolon at its end, PostgreSQL
 * continues into the next statement. `Database.Migrate()` does not have this problem: it sends statements one by one.
 */
import { InvalidInput } from "../../failure";
import { tokens } from "../sql-text";
import type { Token } from "../sql-text";

const OBJECTS =
  /^(AGGREGATE|COLLATION|DATABASE|DOMAIN|EXTENSION|FUNCTION|INDEX|MATERIALIZED|OR|POLICY|PROCEDURE|PUBLICATION|ROLE|RULE|SCHEMA|SEQUENCE|STATISTICS|TABLE|TEMP|TEMPORARY|TRIGGER|TYPE|UNIQUE|UNLOGGED|USER|VIEW)$/;

/** @throws InvalidInput naming the migration, if a PostgreSQL statement does not end before the next one begins. */
export function refuseUnended(id: string, sql: string): void {
  const all = [...tokens(sql, "postgres")].filter(({ kind }) => kind !== "comment");
  let depth = 0;
  let opens = -1;
  for (const [index, token] of all.entries()) {
    const before = all[index - 1];
    if (token.text === "(") depth += 1;
    else if (token.text === ")") depth -= 1;
    if (token.text === ";") opens = -1;
    else if (opens === -1) opens = index;
    else if (depth === 0 && begins(all, index, opens) && isApart(sql, before!, token)) {
      const start = all.slice(opens, index).slice(0, 3);
      throw new InvalidInput(
        `${id}: ${start.map(({ text }) => text).join(" ")} ... has no ";" before ${token.text} ${all[index + 1]!.text} (line ${token.line} of its script): end it in the migration's Sql()`,
      );
    }
  }
}

/** Whether a statement begins here: only if no PostgreSQL statement can continue like this. */
function begins(all: readonly Token[], index: number, opens: number): boolean {
  const [word, next, before, first, second] = [index, index + 1, index - 1, opens, opens + 1].map(
    (at) => all[at]?.text.toUpperCase() ?? "",
  );
  if (all[index]!.kind !== "word" || /^(DO|ALSO|INSTEAD|AS|ATOMIC|,)$/.test(before!)) return false;
  if (word === "CREATE" || word === "ALTER" || word === "DROP") {
    return OBJECTS.test(next!) && second !== "SCHEMA" && first !== "EXPLAIN";
  }
  const changesRows = (word === "INSERT" && next === "INTO") || (word === "DELETE" && next === "FROM");
  return changesRows && !/^(WITH|CREATE|EXPLAIN|PREPARE)$/.test(first!);
}

/** EF leaves an empty line between two statements. */
function isApart(sql: string, before: Token, token: Token): boolean {
  return /\n[ \t]*\n/.test(sql.slice(before.start + before.text.length, token.start));
}
