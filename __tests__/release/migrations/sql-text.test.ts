import { lint } from "../../../release/migrations/lint";
import { readScripts } from "../../../release/migrations/scripts";
import { batches, statements, tokens } from "../../../release/migrations/sql-text";

const texts = (sql: string) => batches(sql).map(({ text, repeat }) => (repeat === 1 ? text : [text, repeat]));

describe("GO ends a batch", () => {
  it.each([
    ["alone on its line", "SELECT 1\nGO\nSELECT 2", ["SELECT 1", "SELECT 2"]],
    ["in any case, with blanks around it", "SELECT 1\n \t go \t\nSELECT 2\nGo", ["SELECT 1", "SELECT 2"]],
    ["with a count", "INSERT t DEFAULT VALUES\nGO 5\nSELECT 2", [["INSERT t DEFAULT VALUES", 5], "SELECT 2"]],
    [
      "with a comment behind it",
      "SELECT 1\nGO -- next\nSELECT 2\nGO 2 /* twice */",
      ["SELECT 1", ["SELECT 2", 2]],
    ],
    ["twice, and nothing in between", "GO\nGO\nSELECT 1\nGO\nGO", ["SELECT 1"]],
    ["after a batch of comments only", "-- nothing\nGO\nSELECT 1", ["SELECT 1"]],
  ])("%s", (_, sql, expected) => {
    expect(texts(sql)).toEqual(expected);
  });

  it.each([
    ["a string", "SELECT 'a\nGO\nb'"],
    ["a string with quotes in it", "SELECT N'it''s\nGO\n'''"],
    ["a comment", "/* a\nGO\n*/ SELECT 1"],
    ["a nested comment", "/* a /* b */\nGO\n*/ SELECT 1"],
    ["a quoted name", 'SELECT 1 AS "a\nGO\n"'],
    ["a name in brackets", "SELECT 1 AS [a]]\nGO\n]"],
    ["a line that it does not begin", "SELECT 1 AS GO\nSELECT 2; GO"],
    ["a name with something glued to it", "SELECT\nGO,\nb FROM t WHERE\nGO=1"],
    ["a label", "GO:\nSELECT 1"],
    ["a longer word", "SELECT 1\nGOTO done"],
    ["a line comment", "SELECT 1 --\n-- GO\n"],
  ])("but is text in %s", (_, sql) => {
    expect(batches(sql)).toHaveLength(1);
  });

  it("and each batch knows its line in the script", () => {
    expect(
      batches("\n-- a\nSELECT 1\n\nGO\n\n\nSELECT 2\n/*\n*/\nGO\nSELECT 3").map(({ line }) => line),
    ).toEqual([2, 8, 12]);
  });

  it("keeps a procedure whole, semicolons and all", () => {
    const procedure =
      "CREATE PROCEDURE dbo.Touch @id int AS\nBEGIN\n  UPDATE dbo.Goals SET Seen = 1 WHERE Id = @id;\n  SELECT ';';\nEND";
    expect(texts(`SET ANSI_NULLS ON\nGO\n${procedure}\nGO\n`)).toEqual(["SET ANSI_NULLS ON", procedure]);
  });
});

describe("a semicolon ends a statement of PostgreSQL", () => {
  it.each([
    ["each", "SELECT 1; SELECT 2;\n;SELECT 3", ["SELECT 1", "SELECT 2", "SELECT 3"]],
    ["but not in a string", "SELECT 'a;b'; SELECT E'it\\'s;'", ["SELECT 'a;b'", "SELECT E'it\\'s;'"]],
    ["nor in a name", 'SELECT 1 AS "a;b"', ['SELECT 1 AS "a;b"']],
    [
      "nor in comments",
      "SELECT 1 /* ; /* ; */ ; */ -- ;\n; SELECT 2",
      ["SELECT 1 /* ; /* ; */ ; */ -- ;", "SELECT 2"],
    ],
    [
      "nor in a function's body",
      "CREATE FUNCTION f() RETURNS int AS $body$ BEGIN RETURN $1; END; $body$ LANGUAGE plpgsql; SELECT $$;$$",
      [
        "CREATE FUNCTION f() RETURNS int AS $body$ BEGIN RETURN $1; END; $body$ LANGUAGE plpgsql",
        "SELECT $$;$$",
      ],
    ],
    [
      "nor in a body in standard SQL",
      "CREATE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN 1 END; SELECT 2; END; SELECT 3",
      [
        "CREATE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN 1 END; SELECT 2; END",
        "SELECT 3",
      ],
    ],
    ["and an array's bracket opens no name", "SELECT a[1]; SELECT 2", ["SELECT a[1]", "SELECT 2"]],
  ])("%s", (_, sql, expected) => {
    expect(statements(sql).map(({ text }) => text)).toEqual(expected);
  });
});

describe("what opens and never ends is refused with its line", () => {
  it.each([
    ["mssql", "SELECT 1\n, 'a", /line 2: ' opens/],
    ["mssql", "SELECT [a", /line 1: \[ opens/],
    ["mssql", "SELECT [a]]", /line 1: \[ opens/],
    ["mssql", "\n\n/* /* */", /line 3: \/\* opens/],
    ["postgres", "SELECT $x$ a $y$", /line 1: \$x\$ opens/],
  ] as const)("%s: %j", (dialect, sql, message) => {
    expect(() => [...tokens(sql, dialect)]).toThrow(message);
  });
});

it("a schema as SQL Server's tools script it: BOM, CRLF, settings, a procedure, a trigger, data", () => {
  const lines = [
    "\uFEFFUSE [SocialGoal]",
    "GO",
    "/****** Object:  Table [dbo].[Goals]    Script Date: 24.11.2026 ******/",
    "SET ANSI_NULLS ON",
    "GO",
    "CREATE TABLE [dbo].[Goals](",
    "\t[GoalId] [int] IDENTITY(1,1) NOT NULL,",
    "\t[Title] [nvarchar](50) NULL, -- GO",
    "PRIMARY KEY CLUSTERED ([GoalId] ASC) WITH (PAD_INDEX = OFF) ON [PRIMARY])",
    "GO",
    "CREATE PROCEDURE [dbo].[Close GO] @id int AS",
    "BEGIN",
    "  /* outer /* inner",
    "GO",
    "  */ still a comment */",
    "  UPDATE [dbo].[Goals] SET [Title] = N'It''s",
    "GO",
    "' WHERE GoalId = @id;",
    "END",
    "go",
    "CREATE TRIGGER [dbo].[Touched] ON [dbo].[Goals] AFTER UPDATE AS",
    "IF UPDATE([Title]) PRINT 'touched';",
    "GO",
    "INSERT [dbo].[Goals] ([Title]) VALUES (N'a')",
    "GO 5",
    "",
  ];
  const [script] = readScripts(new Map([["1-schema.sql", Buffer.from(lines.join("\r\n"))]]));
  const found = batches(script!.sql);
  expect(found.map(({ line, repeat }) => [line, repeat])).toEqual([
    [1, 1],
    [3, 1],
    [6, 1],
    [11, 1],
    [21, 1],
    [24, 5],
  ]);
  expect(found[0]!.text).toBe("USE [SocialGoal]");
  expect(found[3]!.text).toMatch(/^CREATE PROCEDURE[^]*END$/);
  // Its own database is the environment's to choose, so that one is left to a person.
  expect(lint(script!, "mssql").map(({ line, level }) => `${line} ${level}`)).toEqual(["1 unknown"]);
});

describe("text after GO on its line", () => {
  it("is never run if it is a comment of several lines", () => {
    expect(texts("SELECT 1\nGO /* next:\nDROP TABLE t\n*/\nSELECT 2")).toEqual(["SELECT 1", "SELECT 2"]);
    expect(batches("SELECT 1\nGO /* a\nb */ SELECT 2")[1]).toEqual({ text: "SELECT 2", line: 3, repeat: 1 });
  });

  it.each([
    ["a semicolon", "GO;"],
    ["a count and a semicolon", "GO 5;"],
    ["a word", "GO x"],
    ["a statement", "GO SELECT 2"],
    ["a statement behind comments", "GO 5 /* a */ /* b */ SELECT 2"],
    ["an expression", "GO + 1"],
    ["a negative count", "GO -1"],
    ["two counts", "GO 1 2"],
    ["a count that no tool takes", "GO 2147483648"],
    ["a variable", "GO $(n)"],
    ["a comment that is glued to it", "GO/* c */"],
    ["a blank that is none", "GO\u00a0"],
    ["a blank that is none before it", "\u00a0GO"],
  ])("is refused with its line where it is %s", (_, line) => {
    expect(() => batches(`EXEC dbo.p\n${line}\nSELECT 2`)).toThrow(
      /^line 2: .*GO.*: GO ends a batch only alone on its line/,
    );
  });

  it("may be a count up to the limit of SQL Server's tools, or missing", () => {
    expect(texts("SELECT 1\nGO 1000000\nSELECT 2\nGO 0\n")).toEqual([
      ["SELECT 1", 1_000_000],
      ["SELECT 2", 0],
    ]);
  });
});

describe("PostgreSQL's rules", () => {
  it("an escaped string whose last quote is escaped never ends", () => {
    expect(() => statements("SELECT E'a\\'; DROP TABLE t")).toThrow(/line 1: E opens/);
    // The quotes in it are one of its text; what comes after them is still in it.
    expect(() => statements("SELECT E'a''; DROP TABLE t; \\'")).toThrow(/line 1: E opens/);
  });

  it("a letter is whatever is not ASCII, so no dollar behind it opens a string", () => {
    expect(statements("SELECT €$$; SELECT 2 AS a$$").map(({ text }) => text)).toEqual([
      "SELECT €$$",
      "SELECT 2 AS a$$",
    ]);
  });
});

it("one line of megabytes takes no longer than many lines of them", () => {
  const startedAt = performance.now();
  expect(statements("SELECT a;".repeat(50_000))).toHaveLength(50_000);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

describe("a literal of any length is one token", () => {
  const long = "x".repeat(9_000_000);

  it.each([
    ["mssql", `SELECT N'${long}'`],
    ["mssql", `SELECT [${long}${long}]`],
    ["mssql", `SELECT "${long}"`],
    ["postgres", `SELECT '${long}'`],
    ["postgres", `SELECT E'${long}\\''`],
    ["postgres", `SELECT U&"${long}"`],
    ["postgres", `SELECT $a$${long}$a$`],
  ] as const)("%s: %.12s", (dialect, sql) => {
    expect([...tokens(sql, dialect)].map(({ text }) => text.length)).toEqual([6, sql.length - 7]);
    const whole = dialect === "mssql" ? batches(sql) : statements(sql);
    expect(whole.map(({ text }) => text.length)).toEqual([sql.length]);
  });
});
