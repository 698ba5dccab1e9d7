/** Which T-SQL breaks the running release, and which does not: a minimal script for each kind. */
import { findings, messages } from "../findings";
import { lint } from "../../../../release/migrations/lint";
import { readScripts } from "../../../../release/migrations/scripts";

describe("breaks the running release", () => {
  it.each([
    ["behind a setting", "SET NOCOUNT ON\nDELETE FROM dbo.a", 2],
    ["behind a setting of a table", "SET IDENTITY_INSERT dbo.a ON\nDELETE dbo.a", 2],
    [
      "a table that is made only if it is missing",
      "IF OBJECT_ID('dbo.n') IS NULL CREATE TABLE dbo.n (a int)\nALTER TABLE dbo.n DROP COLUMN b",
      2,
    ],
    ["a table that is made in a branch", "IF @a = 1\nBEGIN\nCREATE TABLE n (a int)\nEND\nDROP TABLE n", 5],
    [
      "a table that is made in the other branch",
      "IF @a = 1 PRINT 'a' ELSE CREATE TABLE n (a int)\nDROP TABLE n",
      2,
    ],
    ["a table that is made behind a return", "IF @a = 1 RETURN\nCREATE TABLE n (a int)\nDROP TABLE n", 3],
    ["a table that may not be made at all", "SET NOEXEC ON\nGO\nCREATE TABLE n (a int)\nGO\nDROP TABLE n", 5],
    [
      "a table that may be made, in a TRY",
      "BEGIN TRY CREATE TABLE n (a int) END TRY BEGIN CATCH END CATCH\nDROP TABLE n",
      2,
    ],
    ["a column behind constraints", "ALTER TABLE a DROP CONSTRAINT k, j, COLUMN b", 1],
    ["a MERGE that deletes", "MERGE a USING b ON a.i = b.i WHEN NOT MATCHED BY SOURCE THEN DELETE;", 1],
    ["a rule behind a column", "ALTER TABLE a ADD b int NULL, CONSTRAINT ck CHECK (c > 0)", 1],
    [
      "a key behind a column",
      "ALTER TABLE a ADD b int NULL, CONSTRAINT k FOREIGN KEY (c) REFERENCES d (i)",
      1,
    ],
    ["an index behind a column", "ALTER TABLE a ADD b int NULL, INDEX ix UNIQUE (c)", 1],
    ["a unique column: two NULLs are one too many", "ALTER TABLE a ADD b int NULL UNIQUE", 1],
    ["a trigger that is switched off in a condition", "IF 1 = 1 DISABLE TRIGGER t ON a", 1],
    ["a NOT NULL column with a key word's name", "ALTER TABLE a ADD Generated int NOT NULL", 1],
    [
      "a NOT NULL column with a cast in its check",
      "ALTER TABLE a ADD b int NOT NULL CHECK (CAST(b AS int) > 0)",
      1,
    ],
    ["a member who leaves", "ALTER ROLE r DROP MEMBER u", 1],
    ["a user's new name", "ALTER USER u WITH NAME = v", 1],
    ["an index that is switched off", "ALTER INDEX ix ON a DISABLE", 1],
    ["numbers once more", "ALTER SEQUENCE s RESTART", 1],
    ["a database that is shut", "ALTER DATABASE CURRENT SET SINGLE_USER WITH ROLLBACK IMMEDIATE", 1],
    ["a database's new name", "ALTER DATABASE x MODIFY NAME = y", 1],
    ["a statement behind an ALTER with a SET", "ALTER DATABASE x SET RECOVERY SIMPLE\nDROP TABLE a", 2],
    ["a statement behind an ALTER of a login", "ALTER ROLE r ADD MEMBER u\nDROP TABLE a", 2],
    ["a rule behind a statement", "PRINT 'a' DROP RULE r", 1],
    ["a policy behind a statement", "PRINT 'a'\nDROP SECURITY POLICY p", 2],
    ["a full-text index", "PRINT 'a'\nDROP FULLTEXT INDEX ON a", 2],
    ["a text that is run", "EXEC(N'DELETE FROM a WHERE b = N''x''')", 1],
    ["a line of a text that is run", "EXEC sp_executesql N'\nSET NOCOUNT ON\nDROP TABLE a'", 3],
    ["a text in a text", "EXEC('EXEC(''DROP TABLE a'')')", 1],
    ["a text with a variable in a name", "EXEC(N'DROP TABLE [a' + @x + N']')", 1],
    ["a text with a variable for a name", "EXEC(N'DROP TABLE ' + @x)", 1],
    ["a column's new name", "EXEC @r = sp_rename N'[a].[b]', N'c', 'COLUMN'", 1],
    ["history that ends", "ALTER TABLE a SET (SYSTEM_VERSIONING = OFF)", 1],
    ["a statement behind a label", "again: DELETE a", 1],
    ["a statement behind a CASE", "SELECT CASE WHEN 1 = 1 THEN 1 END DELETE a", 1],
    ["a DELETE that a common table expression comes before", ";WITH x AS (SELECT 1 AS a) DELETE FROM a", 1],
    [
      "a unique index on an old column and a new one",
      "ALTER TABLE a ADD b int NULL\nCREATE UNIQUE INDEX i ON a (c, b)",
      2,
    ],
    [
      "a unique index on a new column's default",
      "ALTER TABLE a ADD b int NOT NULL DEFAULT 0\nCREATE UNIQUE INDEX i ON a (b)",
      2,
    ],
    [
      "a check of an old column and a new one",
      "ALTER TABLE a ADD b int NULL\nALTER TABLE a ADD CHECK (b > c)",
      2,
    ],
    [
      "an added column that has to have a value",
      "ALTER TABLE a ADD b int NULL\nALTER TABLE a ALTER COLUMN b int NOT NULL",
      2,
    ],
    [
      "an added column that loses its default",
      "ALTER TABLE a ADD b int NOT NULL CONSTRAINT df DEFAULT 0\nALTER TABLE a DROP CONSTRAINT df",
      2,
    ],
    ["a default that is none", "ALTER TABLE a ADD b int NOT NULL DEFAULT NULL", 1],
    ["a right that goes", "GRANT SELECT, DELETE ON a TO u\nREVOKE SELECT, DELETE ON a FROM u", 2],
  ])("%s: %s", (_, sql, line) => {
    expect(findings("mssql", sql)).toEqual([`${line} breaks`]);
  });
});

describe("takes nothing from it", () => {
  it.each([
    [
      "temporary tables",
      "CREATE TABLE #t (a int)\nDELETE FROM #t\nTRUNCATE TABLE #t\nDROP TABLE IF EXISTS #t",
    ],
    ["table variables", "DECLARE @t TABLE (a int)\nDELETE x FROM @t AS x"],
    ["an alias of a temporary table", "DELETE x FROM #t AS x JOIN dbo.a AS b ON b.i = x.i"],
    ["what the script has made", "CREATE TABLE [dbo].[n] (a int)\nGO\nDELETE FROM DBO.N\nDROP TABLE n"],
    ["what it has made by SELECT INTO", "SELECT * INTO dbo.n FROM a\nDROP TABLE dbo.n"],
    [
      "a rule on a table that is made if it is missing",
      "IF OBJECT_ID(N'[dbo].[n]') IS NULL\nCREATE TABLE n (a int)\nCREATE UNIQUE INDEX i ON n (a)",
    ],
    ["what is made in the same branch", "IF @a = 1\nBEGIN\nCREATE TABLE n (a int)\nDROP TABLE n\nEND"],
    [
      "a column that the script has added",
      "ALTER TABLE a ADD b int NULL\nALTER TABLE a ALTER COLUMN b bigint NULL\nALTER TABLE a DROP COLUMN b",
    ],
    [
      "a key on an added column",
      "ALTER TABLE a ADD b int NULL\nALTER TABLE a ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES d (i) ON DELETE SET NULL",
    ],
    [
      "a key on a column that is added if it is missing",
      "IF COL_LENGTH('dbo.a', 'b') IS NULL\nBEGIN\nALTER TABLE a ADD b int NULL\nEND\nGO\nIF NOT EXISTS (SELECT 1 FROM sys.foreign_keys WHERE name = 'k')\nALTER TABLE a ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES d (i)",
    ],
    [
      "a check of an added column",
      "ALTER TABLE a ADD b int NULL, CONSTRAINT ck CHECK (b > 0 AND LEN(b) < 3)",
    ],
    [
      "a filtered unique index on an added column",
      "ALTER TABLE a ADD b int NULL\nCREATE UNIQUE INDEX i ON a (b) WHERE b IS NOT NULL",
    ],
    [
      "a unique index on numbers of their own",
      "ALTER TABLE a ADD b uniqueidentifier NOT NULL DEFAULT NEWID()\nCREATE UNIQUE INDEX i ON a (b)",
    ],
    ["rights that are granted", "GRANT SELECT, DELETE, ALTER ON a TO u"],
    ["a row version", "ALTER TABLE a ADD v rowversion NOT NULL"],
    ["key words in brackets", "SELECT 1 AS [DELETE], [drop] FROM [table] ORDER BY [set]"],
    ["a constraint without the word", "ALTER TABLE a DROP k"],
    ["statistics", "DROP STATISTICS a.s\nCREATE STATISTICS s ON a (b)"],
    [
      "indexes",
      "ALTER INDEX ALL ON a REBUILD\nCREATE PRIMARY XML INDEX i ON a (b)\nCREATE SPATIAL INDEX j ON a (c)\nDROP INDEX k ON a",
    ],
    ["properties", "EXEC sp_addextendedproperty N'MS_Description', N'DROP TABLE a', N'SCHEMA', N'dbo'"],
    ["what refreshes a module", "EXEC sp_refreshsqlmodule N'[dbo].[p]'\nEXECUTE [sys].[sp_refreshview] 'v'"],
    ["an index' new name", "EXEC sp_rename N'[a].[i]', N'j', 'INDEX'"],
    ["its own transaction", "BEGIN TRAN\nUPDATE a SET b = 1\nCOMMIT TRANSACTION"],
    [
      "EF Core's way to drop a default",
      "DECLARE @v nvarchar(max)\nIF @v IS NOT NULL EXEC(N'ALTER TABLE [a] DROP CONSTRAINT ' + @v + ';')\nIF @v IS NOT NULL EXEC(N'ALTER TABLE [a] DROP CONSTRAINT [' + @v + ']')",
    ],
    [
      "a MERGE that removes rows of a temporary table",
      "MERGE INTO #t USING a ON #t.i = a.i WHEN MATCHED THEN DELETE;",
    ],
    [
      "a cursor",
      "DECLARE c CURSOR FOR SELECT i FROM a FOR UPDATE OF b\nOPEN c\nFETCH NEXT FROM c\nCLOSE c\nDEALLOCATE c",
    ],
    ["rows by page", "SELECT i FROM a ORDER BY i OFFSET 5 ROWS FETCH NEXT 5 ROWS ONLY"],
    [
      "a trigger's body",
      "CREATE TRIGGER t ON a AFTER INSERT, DELETE AS\nIF UPDATE(b) DELETE FROM c\nDROP TABLE d",
    ],
    [
      "history that goes on",
      "ALTER TABLE a SET (SYSTEM_VERSIONING = OFF)\nALTER TABLE a ADD b int NULL\nALTER TABLE a SET (SYSTEM_VERSIONING = ON)",
    ],
    [
      "a rule that Management Studio enables behind itself",
      "ALTER TABLE a ADD b int NULL\nALTER TABLE a WITH CHECK ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES c (i)\nALTER TABLE a CHECK CONSTRAINT k",
    ],
    [
      "a trigger that is off for a while, which nobody sees",
      "DISABLE TRIGGER t ON a\nUPDATE a SET b = 1\nENABLE TRIGGER t ON dbo.a",
    ],
    [
      "the same of a table",
      "ALTER TABLE a DISABLE TRIGGER t\nUPDATE a SET b = 1\nALTER TABLE a ENABLE TRIGGER t",
    ],
    ["numbers that it gives out itself", "CREATE SEQUENCE s\nALTER SEQUENCE s RESTART"],
    ["nothing that runs", ";;\nGO\n-- DROP TABLE a\nGO"],
  ])("%s: %s", (_, sql) => {
    expect(findings("mssql", sql)).toEqual([]);
  });

  it("what Management Studio and EF6 write around it", () => {
    const script = [
      "SET ANSI_NULLS ON",
      "GO",
      "SET QUOTED_IDENTIFIER ON",
      "GO",
      "IF NOT EXISTS (SELECT * FROM sys.objects WHERE object_id = OBJECT_ID(N'[dbo].[Goals]') AND type in (N'U'))",
      "BEGIN",
      "CREATE TABLE [dbo].[Goals]([GoalId] [int] IDENTITY(1,1) NOT NULL, [Title] [nvarchar](50) NULL,",
      " CONSTRAINT [PK_dbo.Goals] PRIMARY KEY CLUSTERED ([GoalId] ASC) WITH (PAD_INDEX = OFF) ON [PRIMARY]) ON [PRIMARY]",
      "END",
      "GO",
      "IF NOT EXISTS (SELECT * FROM sys.objects WHERE object_id = OBJECT_ID(N'[dbo].[Touch]') AND type in (N'P', N'PC'))",
      "EXEC dbo.sp_executesql @statement = N'CREATE PROCEDURE [dbo].[Touch] AS'",
      "GO",
      "ALTER PROCEDURE [dbo].[Touch] @id int AS UPDATE dbo.Goals SET Title = N'' WHERE GoalId = @id",
      "GO",
      "INSERT [dbo].[__MigrationHistory]([MigrationId], [ContextKey], [Model], [ProductVersion])",
      "VALUES (N'201311272031442_Init', N'Goals.Configuration', 0x1F8B0800, N'6.1.3-40302')",
      "GO",
      "ALTER TABLE dbo.Goals SET (LOCK_ESCALATION = TABLE)",
      "GO",
    ].join("\r\n");
    const utf16 = Buffer.from(`\uFEFF${script}`, "utf16le");
    const [read] = readScripts(new Map([["1-goals.sql", utf16]]));
    expect(lint(read!, "mssql")).toEqual([]);
  });
});

describe("what ends in a word that begins a statement elsewhere", () => {
  it.each([
    ["GRANT SELECT ON a TO u WITH GRANT OPTION\nDROP TABLE a", 2],
    ["GRANT SELECT ON a\nDROP TABLE a", 2],
    ["CREATE TABLE n (f datetime2 GENERATED ALWAYS AS ROW END HIDDEN NOT NULL)\nDROP TABLE a", 2],
    [
      "ALTER TABLE a ADD f datetime2 GENERATED ALWAYS AS ROW END HIDDEN NOT NULL DEFAULT '9999'\nDROP TABLE a",
      2,
    ],
    ["ALTER INDEX i ON a SET (IGNORE_DUP_KEY = ON)\nDROP TABLE a", 2],
    ["ALTER TABLE a ADD b int NULL REFERENCES c (i) ON DELETE SET NULL ON UPDATE NO ACTION\nDROP TABLE a", 2],
    ["UPDATE STATISTICS a\nDROP TABLE a", 2],
    ["INSERT a EXEC p\nDROP TABLE a", 2],
    ["SELECT a FROM b FOR XML PATH('')\nDROP TABLE a", 2],
    ["DECLARE @a int = CASE WHEN 1 = 1 THEN 2 END\nDROP TABLE a", 2],
  ])("%s", (sql, line) => {
    expect(findings("mssql", sql)).toContain(`${line} breaks`);
    expect(findings("mssql", sql.slice(0, sql.indexOf("\nDROP")))).not.toContain("1 breaks");
  });
});

describe("is left to a person", () => {
  it.each([
    ["a text with a variable in it", "EXEC(N'SELECT ' + @x)"],
    ["a text that is a variable", "EXEC (@sql)"],
    ["a procedure", "EXEC dbo.p"],
    ["a COMMIT alone", "COMMIT"],
    ["a transaction that stays open", "BEGIN TRANSACTION\nUPDATE a SET b = 1"],
    ["a module that is altered, and not known", "ALTER PROCEDURE p AS SELECT 1"],
    ["a check that may refuse NULL", "ALTER TABLE a ADD b int NULL CHECK (b IS NOT NULL)"],
    ["another database", "USE other"],
  ])("%s: %s", (_, sql) => {
    expect(findings("mssql", sql)).toEqual(["1 unknown"]);
  });

  it("once for an unknown statement, even if it is repeated", () => {
    expect(findings("mssql", "EXEC dbo.p\n".repeat(1_000)).length).toBeLessThan(300);
  });
});

describe("a review", () => {
  it.each([
    ["on a line before it", "-- reviewed: unused\nDELETE a", []],
    [
      "at the end of its own line",
      "UPDATE a SET b = 1\nDELETE a -- reviewed: unused\nDELETE b",
      ["3 breaks"],
    ],
    ["at the end of the line before", "UPDATE a SET b = 1 -- reviewed: few rows\nDELETE a", ["2 breaks"]],
    ["before a condition", "-- reviewed: unused\nIF 1 = 1\nDELETE a", ["3 breaks"]],
    ["within a condition", "IF 1 = 1\n-- reviewed: unused\nDELETE a", []],
    ["before a text that is run", "-- reviewed: unused\nEXEC('DELETE a')", []],
    ["at the end of the batch before", "SELECT 1\n-- reviewed: unused\nGO\nDELETE a", ["4 breaks"]],
    ["without a reason", "-- reviewed:\nDELETE a", ["2 breaks"]],
    ["in a comment of several lines", "/*\n-- reviewed: unused */\nDELETE a", ["3 breaks"]],
  ])("%s", (_, sql, expected) => {
    expect(findings("mssql", sql)).toEqual(expected);
  });
});

describe("a contract script that drops a column gets advice", () => {
  const MADE_UP = "SQL Server generated its name, docs/migrations.md shows how to find it";

  it.each([
    [
      "where it may have a default",
      ["SELECT 1", "-- phase: contract\nALTER TABLE dbo.a DROP COLUMN b"],
      [`if it has a DEFAULT, SQL Server drops it only after its default constraint: ${MADE_UP}`],
    ],
    [
      "where it has one without a name",
      ["ALTER TABLE a ADD b int NOT NULL DEFAULT 0", "-- phase: contract\nALTER TABLE dbo.a DROP COLUMN b"],
      [`it has a DEFAULT, so SQL Server drops it only after its default constraint: ${MADE_UP}`],
    ],
    [
      "where its default has a name",
      [
        "CREATE TABLE a (i int, b int CONSTRAINT df DEFAULT 0)",
        "-- phase: contract\nALTER TABLE dbo.a DROP COLUMN b",
      ],
      [
        "it has a DEFAULT, so SQL Server drops it only after its default constraint: DROP CONSTRAINT df, COLUMN b",
      ],
    ],
    [
      "where it has none: nothing",
      ["ALTER TABLE a ADD b int NULL", "-- phase: contract\nALTER TABLE dbo.a DROP COLUMN b"],
      [],
    ],
    [
      "where the script drops one: nothing",
      ["SELECT 1", "-- phase: contract\nALTER TABLE dbo.a DROP CONSTRAINT df, COLUMN b"],
      [],
    ],
    [
      "where the script looks for its name: nothing",
      [
        "SELECT 1",
        "-- phase: contract\nDECLARE @s nvarchar(max) = (SELECT N'ALTER TABLE dbo.a DROP CONSTRAINT ' + QUOTENAME(name) FROM sys.default_constraints)\nEXEC (@s)\nALTER TABLE dbo.a DROP COLUMN b",
      ],
      [],
    ],
  ])("%s", (_, scripts, expected) => {
    expect(messages(...scripts).map((line) => line.replace(/^.* advice [^:]*: /, ""))).toEqual(expected);
  });
});

it("a wider column is known from the scripts before", () => {
  const table = "CREATE TABLE a (b nvarchar(50) NULL, c nvarchar(50) NOT NULL)";
  expect(messages(table, "ALTER TABLE a ALTER COLUMN b nvarchar(max) NULL")).toEqual([]);
  expect(messages(table, "ALTER TABLE a ALTER COLUMN b nvarchar(20) NULL")).toHaveLength(1);
  expect(messages(table, "ALTER TABLE a ALTER COLUMN b nvarchar(50) NOT NULL")).toHaveLength(1);
});

it("what can't be read is refused with script and line", () => {
  expect(() => findings("mssql", "SELECT 1\nGO;\n", "0002-goals.sql")).toThrow(
    /^0002-goals\.sql, line 2: GO;/,
  );
  expect(() => findings("mssql", "SELECT 'a\n", "0002-goals.sql")).toThrow(
    /^0002-goals\.sql, line 1: ' opens/,
  );
});
