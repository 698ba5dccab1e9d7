/**
 * Finds what an expand script must not do because the running release still needs it, and what a server refuses in any
 * phase. With a comment `-- reviewed: why`, a reviewer accepts a statement.
 */
import { InvalidInput } from "../failure";
import type { Finding } from "./finding";
import { lintPostgres } from "./postgres";
import { readable } from "./readable";
import type { Script } from "./scripts";
import type { Dialect } from "./sql-text";
import { Schema } from "./tsql/schema";
import { lintTsql } from "./tsql/script";

export type { Finding } from "./finding";

/**
 * Lints one script. A contract script may remove anything, because no release needs the old schema when it runs.
 * @throws InvalidInput naming script and line, where its text can't be read.
 */
export function lint(script: Script, dialect: Dialect): Finding[] {
  return lintAll([script], dialect);
}

/**
 * Lints the scripts of a bundle in order: the schema from earlier scripts helps to judge later ones.
 * @param hasRun scripts without findings, because they can't change any more. @default none
 * @throws InvalidInput as `lint` does.
 */
export function lintAll(
  scripts: readonly Script[],
  dialect: Dialect,
  hasRun: (script: Script) => boolean = () => false,
): Finding[] {
  const schema = new Schema();
  return scripts.flatMap((script) => {
    try {
      const findings = readable(script, () =>
        dialect === "postgres" ? lintPostgres(script) : lintTsql(script, schema),
      );
      return hasRun(script) ? [] : findings;
    } catch (error) {
      if (error instanceof InvalidInput && hasRun(script)) return [];
      throw error;
    }
  });
}

/**
 * Whether a script is a contract script by name only, and removes nothing that the linter knows of: `0012-contract-table.sql`
 * may create a table of contracts, and would wait without need.
 */
export function isAmbiguous(script: Script, dialect: Dialect): boolean {
  if (script.phase !== "contract" || script.phaseFrom !== "name") return false;
  const asExpand: Script = { ...script, phase: "expand", sql: script.sql.replace(REVIEWS, "--") };
  return lint(asExpand, dialect).every(({ level }) => level !== "breaks");
}

const REVIEWS = /--[ \t]*reviewed:/g;
