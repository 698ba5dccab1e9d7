/**
 * Finds what an expand script may not do, because the release that is running still needs it, and what a server refuses
 * whichever phase a script has. A comment `-- reviewed: why` says that a person looked at a statement and takes the
 * responsibility.
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
 * Looks at one script. A contract script may take away what it likes, as no release needs the old schema when it runs.
 * @throws InvalidInput naming script and line, where its text can't be read.
 */
export function lint(script: Script, dialect: Dialect): Finding[] {
  return lintAll([script], dialect);
}

/**
 * Looks at the scripts of a bundle, one after the other: what the earlier ones say about the schema helps to judge the
 * later ones.
 * @param hasRun of which nothing is said: they are as they are. @default none
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
 * Whether a contract script is one by its name only, and nothing is known that it takes away: `0012-contract-table.sql` that
 * makes a table of contracts would wait for a release that has no need of it.
 */
export function isAmbiguous(script: Script, dialect: Dialect): boolean {
  if (script.phase !== "contract" || script.phaseFrom !== "name") return false;
  const asExpand: Script = { ...script, phase: "expand", sql: script.sql.replace(REVIEWS, "--") };
  return lint(asExpand, dialect).every(({ level }) => level !== "breaks");
}

const REVIEWS = /--[ \t]*reviewed:/g;
