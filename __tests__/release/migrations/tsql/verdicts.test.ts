/**
 * Our verdicts beside those that the syntax trees of Microsoft's own parser give, for the scripts in `data/scripts.json`; and
 * what we say of the scripts that EF Core 10 writes for seven migrations, one by one and as one idempotent script.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { lint } from "../../../../release/migrations/lint";
import { readScripts } from "../../../../release/migrations/scripts";

type Verdict = "fine" | "unknown" | "breaks";

const { linting } = JSON.parse(readFileSync(join(__dirname, "data/scripts.json"), "utf8")) as {
  readonly linting: Readonly<Record<string, { readonly sql: string; readonly verdict: Verdict }>>;
};

/** Where we know better, and why. */
const OURS: Readonly<Record<string, Verdict>> = {
  // Its own transaction, begun and ended, is nested in the migrator's: nothing to look at. A COMMIT alone is.
  beginTran: "fine",
};

function verdict(sql: string): Verdict {
  const [script] = readScripts(new Map([["1-a.sql", Buffer.from(sql)]]));
  const levels = lint(script!, "mssql").map(({ level }) => level);
  return levels.includes("breaks") ? "breaks" : levels.includes("unknown") ? "unknown" : "fine";
}

test.each(Object.entries(linting))("%s", (name, { sql, verdict: theirs }) => {
  expect(verdict(sql)).toBe(OURS[name] ?? theirs);
});

describe("what EF Core writes", () => {
  const folder = join(__dirname, "data/ef-core");

  /** Of each script: the lines with what is found there. A rename breaks; so does what it does for a new type or NOT NULL. */
  const EXPECTED: Readonly<Record<string, readonly string[]>> = {
    "ef10-step-1-Init.sql": [],
    // A unique index on a column with a default: the second row that the running release writes is refused.
    "ef10-step-2-AddColumns.sql": ["42 breaks"],
    "ef10-step-3-Rename.sql": ["6 breaks", "8 breaks", "12 breaks", "14 breaks"],
    "ef10-step-4-Temporal.sql": [],
    "ef10-step-5-Json.sql": ["12 breaks", "22 breaks"],
    // A view behind BEGIN TRANSACTION, without a GO between.
    "ef10-step-6-Raw.sql": ["2 fails"],
    "ef10-step-7-Drop.sql": ["2 breaks", "4 breaks", "18 breaks", "26 breaks"],
    // Each of its statements is under a condition, so none of its tables is new.
    "ef10-all-idempotent.sql": [
      ...["220 breaks", "236 breaks", "273 breaks", "281 breaks", "297 breaks", "305 breaks"],
      ...["350 unknown", "358 unknown", "405 breaks", "421 breaks", "497 fails"],
      ...["590 breaks", "598 breaks", "623 breaks", "637 breaks"],
    ],
  };

  test.each(readdirSync(folder))("%s", (file) => {
    const [script] = readScripts(new Map([["1-a.sql", readFileSync(join(folder, file))]]));
    expect(lint(script!, "mssql").map(({ line, level }) => `${line} ${level}`)).toEqual(EXPECTED[file]);
  });
});
