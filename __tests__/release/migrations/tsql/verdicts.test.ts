/** Our verdicts beside those that the syntax trees of Microsoft's own parser give, for the scripts in `data/scripts.json`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { lint } from "../../../../release/migrations/lint";
import { readScripts } from "../../../../release/migrations/scripts";

type Verdict = "fine" | "unknown" | "breaks";

const { linting } = JSON.parse(readFileSync(join(__dirname, "data/scripts.json"), "utf8")) as {
  readonly linting: Readonly<Record<string, { readonly sql: string; readonly verdict: Verdict }>>;
};

/** Where we know better, and why. */
const OURS: Readonly<Record<string, Verdict>> = {};

function verdict(sql: string): Verdict {
  const [script] = readScripts(new Map([["1-a.sql", Buffer.from(sql)]]));
  const levels = lint(script!, "mssql").map(({ level }) => level);
  return levels.includes("breaks") ? "breaks" : levels.includes("unknown") ? "unknown" : "fine";
}

test.each(Object.entries(linting))("%s", (name, { sql, verdict: theirs }) => {
  expect(verdict(sql)).toBe(OURS[name] ?? theirs);
});
