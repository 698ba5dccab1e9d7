import { findings } from "./findings";

describe("an expand script breaks the running release", () => {
  it.each([
    ["postgres", "DROP TABLE goals"],
    ["postgres", "DROP VIEW v"],
    ["postgres", "TRUNCATE goals"],
    ["postgres", "ALTER TABLE goals DROP COLUMN author"],
    ["postgres", "ALTER TABLE goals DROP author"],
    ["postgres", "ALTER TABLE goals RENAME COLUMN author TO owner"],
    ["postgres", "ALTER TABLE goals RENAME TO aims"],
    ["postgres", "ALTER TABLE goals ALTER COLUMN title TYPE varchar(10)"],
    ["postgres", "alter table goals alter title set data type text"],
    ["postgres", "ALTER TABLE goals ALTER COLUMN title SET NOT NULL"],
    ["postgres", "ALTER TABLE goals ADD COLUMN owner text NOT NULL"],
    ["postgres", "ALTER TABLE goals ADD COLUMN a int DEFAULT 1, ADD COLUMN owner text NOT NULL"],
    ["postgres", "ALTER TABLE goals ADD CONSTRAINT c CHECK (length(title) < 10)"],
    ["postgres", "ALTER TABLE goals ADD UNIQUE (title)"],
    ["postgres", "CREATE UNIQUE INDEX i ON goals (title)"],
    ["postgres", "DELETE FROM goals"],
    ["postgres", "REVOKE SELECT ON goals FROM app"],
    ["mssql", "DROP PROCEDURE dbo.Touch"],
    ["mssql", "EXEC sp_rename 'dbo.Goals.Author', 'Owner', 'COLUMN'"],
    ["mssql", "exec sys.sp_rename N'dbo.Goals', N'Aims'"],
    ["mssql", "ALTER TABLE [dbo].[Goals] ALTER COLUMN [Title] nvarchar(50) NOT NULL"],
    ["mssql", "ALTER TABLE dbo.Goals ADD Owner nvarchar(50) NOT NULL"],
    ["mssql", "ALTER TABLE dbo.Goals ADD A int NULL, B decimal(9, 2) NOT NULL"],
    ["mssql", "ALTER TABLE dbo.Goals WITH CHECK ADD CONSTRAINT FK_A FOREIGN KEY (A) REFERENCES dbo.A (Id)"],
    ["mssql", "DENY SELECT ON dbo.Goals TO app"],
    ["mssql", "ALTER SCHEMA archive TRANSFER dbo.Goals"],
  ] as const)("%s: %s", (dialect, sql) => {
    expect(findings(dialect, sql)).toEqual(["1 breaks"]);
  });

  it("with the line of the statement, after any text", () => {
    expect(findings("postgres", "-- why\n\nSELECT 1;\n/* more\n */\nDROP TABLE goals;")).toEqual([
      "6 breaks",
    ]);
    expect(findings("mssql", "SELECT 1\nGO\n-- why\nDROP TABLE Goals\nGO")).toEqual(["4 breaks"]);
  });

  it("also in statements that no semicolon parts", () => {
    const sql =
      "DECLARE @a int = 1\nALTER TABLE dbo.Goals ADD A int NULL\nDROP TABLE dbo.Old\nUPDATE dbo.Goals SET A = 1\nDELETE dbo.Goals";
    expect(findings("mssql", sql)).toEqual(["3 breaks", "5 breaks"]);
  });
});

describe("an expand script may", () => {
  it.each([
    ["postgres", "CREATE TABLE goals (id text PRIMARY KEY, title text NOT NULL, UNIQUE (title))"],
    [
      "postgres",
      "CREATE TABLE a (id int); ALTER TABLE a ADD COLUMN b text NOT NULL; CREATE UNIQUE INDEX i ON a (b)",
    ],
    ["postgres", "ALTER TABLE goals ADD COLUMN owner text"],
    ["postgres", "ALTER TABLE goals ADD COLUMN owner text NOT NULL DEFAULT ''"],
    ["postgres", "ALTER TABLE goals ALTER COLUMN author DROP NOT NULL"],
    ["postgres", "CREATE INDEX CONCURRENTLY i ON goals (owner)"],
    [
      "postgres",
      "CREATE OR REPLACE FUNCTION f() RETURNS trigger AS $$ BEGIN DELETE FROM old; RETURN NEW; END $$ LANGUAGE plpgsql",
    ],
    ["postgres", "INSERT INTO goals VALUES ('DROP TABLE goals'); UPDATE goals SET owner = author"],
    [
      "mssql",
      "CREATE TABLE dbo.A (Id int IDENTITY NOT NULL, G int REFERENCES dbo.Goals (Id) ON DELETE CASCADE ON UPDATE SET NULL)",
    ],
    ["mssql", "ALTER TABLE dbo.Goals ADD Owner nvarchar(50) NOT NULL CONSTRAINT DF_Owner DEFAULT ('')"],
    [
      "mssql",
      "IF COL_LENGTH('dbo.Goals', 'Owner') IS NULL\nBEGIN\n  ALTER TABLE dbo.Goals ADD Owner nvarchar(50) NULL\nEND",
    ],
    [
      "mssql",
      "CREATE OR ALTER PROCEDURE dbo.Clean AS\nBEGIN\n  DELETE FROM dbo.Goals;\n  DROP TABLE #t;\nEND",
    ],
    [
      "mssql",
      "CREATE TRIGGER dbo.T ON dbo.Goals AFTER INSERT, UPDATE AS\nIF UPDATE(Author) UPDATE dbo.Goals SET Owner = Author",
    ],
    [
      "mssql",
      "MERGE dbo.Goals AS t USING dbo.New AS s ON t.Id = s.Id WHEN MATCHED THEN UPDATE SET t.A = s.A WHEN NOT MATCHED THEN INSERT (A) VALUES (s.A);",
    ],
    ["mssql", "SELECT CASE WHEN 1 = 1 THEN 1 ELSE 2 END"],
  ] as const)("%s: %s", (dialect, sql) => {
    expect(findings(dialect, sql)).toEqual([]);
  });
});

it("reports statements that it does not know", () => {
  expect(findings("postgres", "LOCK TABLE goals; DO $$ BEGIN DROP TABLE goals; END $$")).toEqual([
    "1 unknown",
    "1 unknown",
  ]);
  expect(findings("mssql", "EXEC dbo.SomethingOfOurs")).toEqual(["1 unknown"]);
});

it("a review can be recorded", () => {
  const sql = "-- reviewed: nothing reads it since 0.9\nDROP TABLE old;\nDROP TABLE goals;";
  expect(findings("postgres", sql)).toEqual(["3 breaks"]);
  expect(findings("mssql", sql)).toEqual(["3 breaks"]);
  expect(findings("postgres", "-- reviewed:\nDROP TABLE old")).toEqual(["2 breaks"]);
});

it("a contract script may do anything", () => {
  expect(findings("postgres", "DROP TABLE goals", "1-contract-a.sql")).toEqual([]);
});
