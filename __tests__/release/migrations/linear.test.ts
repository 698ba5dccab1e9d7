/** The time for a script is linear in its size. */
import { lint } from "../../../release/migrations/lint";
import { readScripts } from "../../../release/migrations/scripts";
import type { Dialect } from "../../../release/migrations/sql-text";

const ROW = `(${Array.from({ length: 20 }, (_, column) => (column % 2 === 0 ? column : `'value ${column}'`)).join(", ")})`;

/** A script of a given size. */
const SCRIPTS: Readonly<Record<string, (size: number) => string>> = {
  "an INSERT of many rows": (size) => `INSERT INTO dbo.t VALUES\n${Array(size).fill(ROW).join(",\n")}`,
  "a procedure of many lines": (size) =>
    `CREATE PROCEDURE dbo.p AS\nBEGIN\n${"  UPDATE dbo.a SET b = b + 1 WHERE c = 'x'\n".repeat(size)}END`,
  "many statements": (size) => "UPDATE dbo.a SET b = c + 1 WHERE d = 'x' AND e IN (1, 2, 3);\n".repeat(size),
  "many changes of one table": (size) =>
    `ALTER TABLE a ${Array.from({ length: size }, (_, column) => `ADD c${column} int NULL`).join(", ")}`,
  "many changes": (size) =>
    Array.from({ length: size }, (_, column) => `ALTER TABLE a ADD c${column} int NULL;\n`).join(""),
  "many tables that are gone": (size) => "DROP TABLE a;\n".repeat(size),
  "many batches": (size) => "SELECT 1\nGO\n".repeat(size),
  "conditions in conditions": (size) => "IF 'x' = 'y' BEGIN CREATE TABLE t (a int) ".repeat(size),
  "texts that are run": (size) => "EXEC(N'DROP TABLE a');\n".repeat(size),
  "a text of many parts": (size) => `EXEC(${Array(size).fill("N'SELECT 1 '").join(" + ")})`,
  "modules that are replaced": (size) =>
    Array.from(
      { length: size },
      (_, view) => `DROP VIEW v${view};\nGO\nCREATE VIEW v${view} AS SELECT 1;\nGO\n`,
    ).join(""),
  reviews: (size) => "UPDATE a SET b = 1 -- reviewed: x\n".repeat(size),
  "parentheses in parentheses": (size) => `SELECT ${"(".repeat(size)}${")".repeat(size)}`,
  "a unique index of many columns": (size) =>
    `CREATE UNIQUE INDEX i ON t (${Array.from({ length: size }, (_, column) => `c${column}`).join(", ")})`,
  "what is no SQL": (size) => "a;".repeat(size),
};

const CHARACTERS = 50_000;
/** Linear work would take 8 times as long, quadratic work 64 times. */
const TIMES = 8;
const MOST = 30;
/** Less than this is the engine's warming up, in milliseconds. */
const LEAST = 10;

/** Processor time, so that other programs on the machine matter little. */
function milliseconds(sql: string, dialect: Dialect): number {
  const times = [1, 2, 3].map(() => {
    const [script] = readScripts(new Map([["1-a.sql", Buffer.from(sql)]]));
    const before = process.cpuUsage();
    try {
      lint(script!, dialect);
    } catch (error) {
      expect(error).toHaveProperty("name", "InvalidInput");
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...times);
}

describe.each(["mssql", "postgres"] as const)("%s", (dialect) => {
  test.each(Object.entries(SCRIPTS))("%s", (_, scriptOf) => {
    const size = Math.ceil(CHARACTERS / (scriptOf(64).length / 64));
    const once = milliseconds(scriptOf(size), dialect);
    const more = milliseconds(scriptOf(TIMES * size), dialect);
    expect(more).toBeLessThan(MOST * Math.max(once, LEAST));
  });
});
