/** T-SQL gets a GO where the server requires one. The EF Core texts are those of dotnet-ef 10.0.15. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inSeparateBatches } from "../../../release/migrations/separate-batches";
import { batches } from "../../../release/migrations/sql-text";

const recorded = (name: string): string =>
  readFileSync(join(__dirname, "tsql/data/ef-core", `${name}.sql`), "utf8").replace(/^\uFEFF/, "");
const starts = (sql: string): string[] =>
  batches(inSeparateBatches(sql)).map(({ text }) => text.split("\n")[0]!);

describe("a module is the first in its batch", () => {
  it.each([
    ["UPDATE t SET a = 1\nCREATE VIEW v AS SELECT 1", ["UPDATE t SET a = 1", "CREATE VIEW v AS SELECT 1"]],
    [
      "DROP VIEW IF EXISTS v; CREATE OR ALTER VIEW v AS SELECT 1",
      ["DROP VIEW IF EXISTS v;", "CREATE OR ALTER VIEW v AS SELECT 1"],
    ],
    [
      "IF OBJECT_ID('p') IS NOT NULL DROP PROC p\nCREATE PROC p @a int AS SELECT @a",
      ["IF OBJECT_ID('p') IS NOT NULL DROP PROC p", "CREATE PROC p @a int AS SELECT @a"],
    ],
    [
      "CREATE VIEW v AS SELECT 1\ncreate view w as select 2",
      ["CREATE VIEW v AS SELECT 1", "create view w as select 2"],
    ],
    [
      "SET NOCOUNT ON ALTER TRIGGER r ON t AFTER DELETE AS PRINT 'x'",
      ["SET NOCOUNT ON", "ALTER TRIGGER r ON t AFTER DELETE AS PRINT 'x'"],
    ],
    [
      "DECLARE @a int\nCREATE PROC p @a int AS SELECT @a",
      ["DECLARE @a int", "CREATE PROC p @a int AS SELECT @a"],
    ],
  ])("%j", (sql, expected) => {
    expect(starts(sql)).toEqual(expected);
  });

  it.each([
    "CREATE VIEW v AS SELECT 1",
    "-- what it is for\nCREATE VIEW v AS SELECT 1\nGO\n",
    "GRANT CREATE VIEW TO x\nDENY SELECT, ALTER ON v TO x",
    "EXEC(N'CREATE VIEW v AS SELECT 1'); PRINT 'CREATE VIEW v'",
    "SELECT [CREATE], [VIEW] FROM t -- CREATE VIEW v",
    "CREATE TABLE t (a int); CREATE INDEX i ON t (a);",
    "PRINT 'one'\nGO 5\nPRINT 'two'\ngo -- and out\n\n",
  ])("where it is already, not a letter changes: %j", (sql) => {
    expect(inSeparateBatches(sql)).toBe(sql);
  });

  it("a comment before it goes with it", () => {
    const sql = "PRINT 'a' -- first\n-- reviewed: the view is ours\nCREATE VIEW v AS SELECT 1\n";
    expect(inSeparateBatches(sql)).toBe(
      "PRINT 'a' -- first\nGO\n\n-- reviewed: the view is ours\nCREATE VIEW v AS SELECT 1\n",
    );
  });

  it("EF Core's view, trigger and procedure in one batch", () => {
    const modules = starts(recorded("ef10-step-6-Raw")).filter((start) => /^CREATE/.test(start));
    expect(modules.map((start) => start.split(" ").slice(0, -1).join(" ").slice(0, 32))).toEqual([
      "CREATE VIEW dbo.ActiveBlogs AS S",
      "CREATE TRIGGER dbo.TR_Articles O",
      "CREATE OR ALTER PROCEDURE dbo.Pu",
    ]);
  });
});

describe("rows are not changed in the batch that adds their column", () => {
  it.each([
    [
      "ALTER TABLE t ADD b int NULL\nUPDATE t SET b = 1",
      ["ALTER TABLE t ADD b int NULL", "UPDATE t SET b = 1"],
    ],
    [
      "ALTER TABLE [dbo].[t] WITH CHECK ADD [c d] int, CONSTRAINT k CHECK (a > 0), e decimal(9, 2);\nDELETE FROM t WHERE E = 1;",
      [
        "ALTER TABLE [dbo].[t] WITH CHECK ADD [c d] int, CONSTRAINT k CHECK (a > 0), e decimal(9, 2);",
        "DELETE FROM t WHERE E = 1;",
      ],
    ],
    [
      "ALTER TABLE t ADD b int;\nUPDATE t SET a = 1;\nINSERT INTO t (B) VALUES (1); SELECT b FROM t",
      ["ALTER TABLE t ADD b int;", "INSERT INTO t (B) VALUES (1); SELECT b FROM t"],
    ],
    [
      "ALTER TABLE t ADD b int\nUPDATE t SET a = CASE WHEN a > 1 THEN 1 ELSE 2 END, b = 1",
      ["ALTER TABLE t ADD b int", "UPDATE t SET a = CASE WHEN a > 1 THEN 1 ELSE 2 END, b = 1"],
    ],
    [
      "ALTER TABLE t ADD b int\nMERGE t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 1;",
      ["ALTER TABLE t ADD b int", "MERGE t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 1;"],
    ],
    [
      "ALTER TABLE t ADD [b]]c] int DEFAULT 1\nUPDATE t SET a = 1 FROM t INNER MERGE JOIN s ON s.a = [b]]c]",
      [
        "ALTER TABLE t ADD [b]]c] int DEFAULT 1",
        "UPDATE t SET a = 1 FROM t INNER MERGE JOIN s ON s.a = [b]]c]",
      ],
    ],
    ["ALTER TABLE t ADD b int;\nSELECT b FROM t", ["ALTER TABLE t ADD b int;", "SELECT b FROM t"]],
  ])("%j", (sql, expected) => {
    expect(starts(sql)).toEqual(expected);
  });

  it.each([
    "ALTER TABLE t ADD b int; UPDATE t SET a = 1",
    "ALTER TABLE t ADD b int; CREATE INDEX i ON t (b); ALTER TABLE t ADD CONSTRAINT k UNIQUE (b)",
    "ALTER TABLE t ADD b int\nGO\nUPDATE t SET b = 1",
    "ALTER TABLE t ADD b int; EXEC(N'UPDATE t SET b = 1')",
    "ALTER TABLE t ADD CONSTRAINT [default] DEFAULT 1 FOR a; UPDATE t SET a = 2",
    "ALTER TABLE t ADD b int CONSTRAINT k REFERENCES u (b) ON DELETE CASCADE; GRANT UPDATE ON t (b) TO x",
    "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u (b) ON UPDATE CASCADE; UPDATE t SET b = 2",
  ])("where none is needed, not a letter changes: %j", (sql) => {
    expect(inSeparateBatches(sql)).toBe(sql);
  });

  it("EF Core's new columns, and its rows that get a value in them", () => {
    expect(starts(recorded("ef10-step-2-AddColumns"))).toEqual([
      "BEGIN TRANSACTION;",
      "UPDATE [Blogs] SET [Code] = N'', [IsActive] = CAST(1 AS bit), [Owner] = NULL",
    ]);
    expect(starts(recorded("ef10-step-5-Json"))).toEqual([
      "BEGIN TRANSACTION;",
      "UPDATE [Blogs] SET [Tags] = N'[]'",
    ]);
  });
});

describe("refused, with the line, where a GO would part what belongs together:", () => {
  it.each([
    [
      "PRINT 1\nIF 1 = 1 BEGIN\n  CREATE VIEW v AS SELECT 1\nEND",
      /^line 3: CREATE VIEW .*inside a block.*EXEC\(N'/,
    ],
    [
      "IF 1 = 1\nBEGIN\nALTER TABLE t ADD b int\nUPDATE t SET b = 1\nEND",
      /^line 4: UPDATE T .*inside a block/,
    ],
    [
      "PRINT 0\nGO\nDECLARE @v int = 1\nALTER TABLE t ADD b int\nUPDATE t SET b = @v",
      /^line 5: UPDATE T .*@v is used on both sides: write GO before it, and declare the variable again/,
    ],
  ])("%j", (sql, message) => {
    expect(() => inSeparateBatches(sql)).toThrow(message);
  });
});

it("a comment alone is about the batch after it", () => {
  expect(inSeparateBatches("PRINT 1\nGO\n\n-- reviewed: yes\nGO\n\nDROP VIEW v\nGO\n")).toBe(
    "PRINT 1\nGO\n\n-- reviewed: yes\n\nDROP VIEW v\nGO\n",
  );
  expect(inSeparateBatches("-- reviewed: yes\nGO\nDROP VIEW v")).toBe("-- reviewed: yes\nDROP VIEW v");
});

it("10,000 statements take less than two seconds", () => {
  const sql = "INSERT INTO t (a, b) VALUES (1, N'x')\nUPDATE t SET a = 1\n".repeat(5_000);
  const startedAt = performance.now();
  expect(inSeparateBatches(`ALTER TABLE t ADD c int\n${sql}`)).toContain("UPDATE t");
  expect(performance.now() - startedAt).toBeLessThan(2000);
});
