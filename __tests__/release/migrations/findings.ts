/** What the linter finds in the text of a script. */
import { lint, lintAll } from "../../../release/migrations/lint";
import { readScripts } from "../../../release/migrations/scripts";
import type { Dialect } from "../../../release/migrations/sql-text";

/** @returns line and level of each. */
export function findings(dialect: Dialect, sql: string, name = "1-a.sql"): string[] {
  const [script] = readScripts(new Map([[name, Buffer.from(sql)]]));
  return lint(script!, dialect).map(({ line, level }) => `${line} ${level}`);
}

/** @returns each in full, of scripts that run one after another on SQL Server. */
export function messages(...scripts: readonly string[]): string[] {
  const files = scripts.map((sql, index): [string, Buffer] => [`${index + 1}-a.sql`, Buffer.from(sql)]);
  return lintAll(readScripts(new Map(files)), "mssql").map(
    ({ script, line, level, message }) => `${script}:${line} ${level} ${message}`,
  );
}
