/** Procedures, functions, views and triggers: recreated, altered, and where SQL Server accepts them. */
import { findings, messages } from "../findings";

describe("a module that is dropped and made again", () => {
  const DROP = "IF OBJECT_ID('dbo.p') IS NOT NULL DROP PROCEDURE dbo.p\nGO\n";

  it("is replaced, and loses its rights unless the script grants them again", () => {
    expect(messages(`${DROP}CREATE PROCEDURE [dbo].[p] AS SELECT 1`)).toEqual([
      "1-a.sql:1 advice DROP PROCEDURE dbo.p: dropped and made again, dbo.p loses what was granted on it: grant it again, or use CREATE OR ALTER",
    ]);
    const granted = "\nGO\nGRANT EXECUTE ON OBJECT::dbo.p TO app";
    expect(messages(`${DROP}CREATE PROCEDURE [dbo].[p] AS SELECT 1${granted}`)).toEqual([]);
    expect(messages("DROP TRIGGER t\nGO\nCREATE TRIGGER t ON a AFTER INSERT AS SELECT 1")).toEqual([]);
  });

  it("is one note for a script, however many it replaces", () => {
    const each = (name: string): string =>
      `DROP VIEW ${name}\nGO\nCREATE VIEW ${name} AS SELECT 1 AS a\nGO\n`;
    expect(messages(["a", "b", "c", "d", "e"].map(each).join(""))).toEqual([
      "1-a.sql:1 advice DROP VIEW a: dropped and made again, a, b, c and 2 more lose what was granted on it: grant it again, or use CREATE OR ALTER",
    ]);
  });

  it.each([
    ["is gone where nothing makes it again", DROP],
    ["is gone where another kind takes its name", `${DROP}CREATE VIEW dbo.p AS SELECT 1 AS a`],
    [
      "is gone where it may not be made again",
      `DROP PROCEDURE dbo.p\nIF @a = 1 EXEC('CREATE PROCEDURE dbo.p AS SELECT 1')`,
    ],
    [
      "is missing for a while outside of a transaction",
      `-- no-transaction\n${DROP}CREATE PROCEDURE dbo.p AS SELECT 1`,
    ],
  ])("%s", (_, sql) => {
    expect(findings("mssql", sql).map((finding) => finding.slice(2))).toEqual(["breaks"]);
  });

  it("breaks callers where it loses a parameter, or needs another one", () => {
    const first = "CREATE PROCEDURE dbo.p @a int, @b int = 1 AS SELECT 1";
    expect(messages(first, `${DROP}CREATE PROCEDURE p @a int AS SELECT 1`)).toContainEqual(
      "2-a.sql:3 breaks CREATE PROCEDURE p @a int AS ...: no longer takes @b, which the running release may pass",
    );
    expect(
      messages(first, "CREATE OR ALTER PROC p (@a int, @b int = 2, @c AS dbo.T READONLY) AS SELECT 1"),
    ).toEqual([
      "2-a.sql:1 breaks CREATE OR ALTER PROC p ( ...: needs @c, which the running release does not pass",
    ]);
    expect(messages(first, "ALTER PROCEDURE p @b int = 1, @a int, @c int = NULL AS SELECT 1")).toEqual([]);
  });
});

describe("a module has to be first in its batch", () => {
  it.each([
    ["CREATE VIEW v AS SELECT 1 AS a", "SELECT 1\n"],
    ["CREATE OR ALTER PROCEDURE p AS SELECT 1", "SET ANSI_NULLS ON;\n"],
    ["ALTER FUNCTION f() RETURNS int AS BEGIN RETURN 1 END", "PRINT 'a'\n"],
    ["CREATE SCHEMA s", "SELECT 1\n"],
    ["CREATE PROCEDURE q AS SELECT 1", "CREATE PROCEDURE p AS SELECT 1\n"],
  ])("%s", (module, before) => {
    for (const name of ["1-a.sql", "1-contract-a.sql"])
      expect(findings("mssql", before + module, name)).toContain("2 fails");
    expect(findings("mssql", `${before}-- reviewed: all right\n${module}`)).toContain("3 fails");
    expect(findings("mssql", `${before}GO\n${module}`)).not.toContain("3 fails");
  });
});
