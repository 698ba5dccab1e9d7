/**
 * SQL scripts, parted into batches and statements: nothing is lost, nothing runs that was inside of a string or a comment,
 * and no text takes for ever. The other view of a text is a scanner as plain as can be, a character at a time.
 */
import * as fc from "fast-check";
import { InvalidInput } from "../../release/failure";
import { lint } from "../../release/migrations/lint";
import { readScripts } from "../../release/migrations/scripts";
import { batches, statements, tokens } from "../../release/migrations/sql-text";
import type { Batch, Dialect } from "../../release/migrations/sql-text";
import { expectOneLine, hostileText, readOrRefused, runs } from "./hostile";

const PIECES = [
  ...[
    "'",
    "''",
    '"',
    '""',
    "[",
    "]",
    "]]",
    "$$",
    "$a$",
    "$1",
    "/*",
    "*/",
    "--",
    ";",
    "\n",
    "\n",
    "\\",
    "\\'",
  ],
  ...[
    "E'",
    "e'",
    "N'",
    "U&'",
    'U&"',
    "B'",
    "GO",
    "GO",
    "go 3",
    "GO -- x",
    "GO /* x */",
    "\nGO\n",
    "\ngo 2\n",
  ],
  ...[
    "SELECT 1",
    "DROP TABLE t",
    "a",
    "a$b",
    "1",
    ".5",
    " ",
    "\t",
    "@x",
    "#t",
    "é",
    "€",
    "\u00a0",
    "\u2028",
    "x'",
  ],
  ...["BEGIN ATOMIC", "BEGIN", "END", "CASE", "=", "(", ")", ","],
];

const scripts = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join("")),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 25 }).map((pieces) => pieces.join(" ")),
  fc.array(hostileText, { maxLength: 4 }).map((texts) => texts.join("\n")),
);

/** `.` where a character is code, `c` in a comment, `q` in a string or a quoted name; null where something never ends. */
function marksOf(sql: string, dialect: Dialect): string | null {
  let marks = "";
  const upTo = (end: number, mark: string): void => {
    marks += mark.repeat(end - marks.length);
  };
  const isWord = (character: string | undefined): boolean =>
    character !== undefined &&
    (dialect === "postgres" ? /[A-Za-z0-9_$\u0080-\uffff]/ : /[\p{L}\p{N}_@#$]|[\ud800-\udfff]/u).test(
      character,
    );
  while (marks.length < sql.length) {
    const at = marks.length;
    const rest = sql.slice(at);
    const quoted = (open: string, close: string, escapes: boolean): number | null => {
      for (let index = at + open.length; index < sql.length; index++) {
        if (escapes && sql[index] === "\\") index += 1;
        else if (sql[index] === close && sql[index + 1] === close) index += 1;
        else if (sql[index] === close) return index + 1;
      }
      return null;
    };
    const dollar = /^\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/.exec(rest)?.[0];
    let end: number | null;
    if (rest.startsWith("--")) {
      const newLine = sql.indexOf("\n", at);
      upTo(newLine === -1 ? sql.length : newLine, "c");
    } else if (rest.startsWith("/*")) {
      let depth = 0;
      end = null;
      for (let index = at; index < sql.length - 1; index++) {
        const two = sql.slice(index, index + 2);
        if (two !== "/*" && two !== "*/") continue;
        depth += two === "/*" ? 1 : -1;
        index += 1;
        if (depth > 0) continue;
        end = index + 1;
        break;
      }
      if (end === null) return null;
      upTo(end, "c");
    } else if (dialect === "postgres" && dollar !== undefined) {
      const closes = sql.indexOf(dollar, at + dollar.length);
      if (closes === -1) return null;
      upTo(closes + dollar.length, "q");
    } else if (/^(?:[eE]')/.test(rest) && dialect === "postgres") {
      end = quoted("E'", "'", true);
      if (end === null) return null;
      upTo(end, "q");
    } else if (
      rest.startsWith("'") ||
      rest.startsWith('"') ||
      (dialect === "mssql" && rest.startsWith("["))
    ) {
      end = quoted(rest[0]!, rest[0] === "[" ? "]" : rest[0]!, false);
      if (end === null) return null;
      upTo(end, "q");
    } else if (isWord(rest[0]) && !/[0-9$]/.test(rest[0]!)) {
      let index = at;
      while (index < sql.length && isWord(sql[index])) index += 1;
      upTo(index, ".");
    } else upTo(at + 1, ".");
  }
  return marks;
}

/** Whether a line begins with the word GO and has more on it than a count and comments. */
function hasGoThatIsNone(sql: string, marks: string): boolean {
  let start = 0;
  return sql.split("\n").some((line) => {
    const from = start;
    start += line.length + 1;
    const [, before, behind] = /^(\s*)go(?![\p{L}\p{N}_@#$])(.*)$/iu.exec(line) ?? [];
    if (before === undefined || behind === undefined) return false;
    if (!/^\.+$/.test(marks.slice(from, from + before.length + 2))) return false;
    if (/[^ \t\ufeff]/.test(before) || /^[\f\v\u0080-\uffff]/.test(behind)) return true;
    if (/^[^\s;/-]/.test(behind)) return false;
    const code = codeOf(sql, marks, from + before.length + 2, from + line.length).trim();
    return /^(;|\/|-(?!-))/.test(behind) || !/^[0-9]{0,10}$/.test(code) || Number(code) > 2_147_483_647;
  });
}

const SPLITTERS: Readonly<Record<Dialect, (sql: string) => Batch[]>> = {
  mssql: batches,
  postgres: statements,
};

/** What is left out between two batches: blanks, comments, and what parts them. */
const BETWEEN: Readonly<Record<Dialect, RegExp>> = {
  mssql: /^(?:[\s;]|GO(?:[ \t]+[0-9]{1,10})?(?![\p{L}\p{N}_@#$]))*$/iu,
  postgres: /^[\s;]*$/,
};

describe.each(["mssql", "postgres"] as const)("%s", (dialect) => {
  test("the tokens are the text, but for blanks; each knows its line", () => {
    fc.assert(
      fc.property(scripts, (sql) => {
        const all = readOrRefused(() => [...tokens(sql, dialect)]);
        if (all === null) return;
        let end = 0;
        for (const { text, start, line } of all) {
          expect(sql.slice(end, start)).toMatch(dialect === "mssql" ? /^\s*$/ : /^[ \t\n\r\f\v]*$/);
          expect(sql.slice(start, start + text.length)).toBe(text);
          expect(line).toBe(sql.slice(0, start).split("\n").length);
          end = start + text.length;
        }
        expect(sql.slice(end)).toMatch(/^\s*$/);
      }),
      runs(1),
    );
  });

  test("what runs is what stands there, in its order and with its line; what is left out is a separator or a comment", () => {
    fc.assert(
      fc.property(scripts, (sql) => {
        const marks = marksOf(sql, dialect);
        const parts = readOrRefused(() => SPLITTERS[dialect](sql));
        // What never ends is refused, and so is a line that only looks as if it parted batches; nothing else is.
        expect(parts === null).toBe(marks === null || (dialect === "mssql" && hasGoThatIsNone(sql, marks)));
        if (parts === null || marks === null) return;
        const left: string[] = [];
        let end = 0;
        for (const { text, line, repeat } of parts) {
          const start = sql.indexOf(text, end);
          expect(start).toBeGreaterThanOrEqual(end);
          // Of several equal texts it is the one of its line.
          const exact = dialect === "mssql" ? startAtLine(sql, text, line, end) : start;
          left.push(codeOf(sql, marks, end, exact));
          // Neither end is inside of a string or a comment.
          expect(isBorder(marks, exact)).toBe(true);
          expect(
            isBorder(
              marks,
              exact + text.length + /^[^\S\n]*/.exec(sql.slice(exact + text.length))![0].length,
            ),
          ).toBe(true);
          expect(repeat).toBeGreaterThanOrEqual(0);
          end = exact + text.length;
        }
        left.push(codeOf(sql, marks, end, sql.length));
        for (const between of left) expect(between).toMatch(BETWEEN[dialect]);
      }),
      runs(3),
    );
  });

  test("a script that is parted, joined and parted again has the same parts", () => {
    const separator = dialect === "mssql" ? "\nGO\n" : "\n;\n";
    fc.assert(
      fc.property(scripts, (sql) => {
        const parts = readOrRefused(() => SPLITTERS[dialect](sql));
        if (parts === null) return;
        const texts = parts.map(({ text }) => text);
        expect(SPLITTERS[dialect](texts.join(separator)).map(({ text }) => text)).toEqual(texts);
      }),
      runs(1),
    );
  });

  test.each([
    ["one line of many words", "a ".repeat(300_000)],
    ["many lines", "SELECT 1;\nGO\n".repeat(20_000)],
    ["a string of megabytes", `SELECT '${"x".repeat(2_000_000)}'`],
    ["a string of quotes", `SELECT '${"''".repeat(1_000_000)}'`],
    ["a quoted name of megabytes", `SELECT "${"x".repeat(2_000_000)}"`],
    ["a comment of megabytes", `/*${"*".repeat(2_000_000)}*/ SELECT 1`],
    ["comments in comments", `${"/*".repeat(50_000)}${"*/".repeat(50_000)} SELECT 1`],
    ["a word of megabytes", "x".repeat(2_000_000)],
    ["blanks", " ".repeat(2_000_000)],
    ["quotes that never end", "'".repeat(500_001)],
    ["an escaped string of megabytes", `SELECT E'${"\\'".repeat(400_000)}'`],
    ["dollars", "$a$ $b$ ".repeat(60_000)],
    ["opened brackets", "[".repeat(300_000)],
  ])("%s take no time that anybody waits for", (_what, sql) => {
    const startedAt = performance.now();
    readOrRefused(() => SPLITTERS[dialect](sql));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

/** Where this text begins that begins on this line. */
function startAtLine(sql: string, text: string, line: number, from: number): number {
  for (let start = sql.indexOf(text, from); start !== -1; start = sql.indexOf(text, start + 1)) {
    if (sql.slice(0, start).split("\n").length === line) return start;
  }
  throw new Error(`${JSON.stringify(text)} does not begin on line ${line}`);
}

function codeOf(sql: string, marks: string, from: number, to: number): string {
  return [...Array(to - from).keys()]
    .map((index) => (marks[from + index] === "c" ? " " : sql[from + index]))
    .join("");
}

function isBorder(marks: string, at: number): boolean {
  return marks[at - 1] !== marks[at] || marks[at] === "." || marks[at] === undefined || marks[at] === "q";
}

const names = fc.oneof(
  fc.stringMatching(/^(migrations\/)?[0-9]{1,7}[a-z._-]{0,8}\.sql$/),
  hostileText.map((text) => `1${text}.sql`),
  hostileText,
);
const contents = fc.oneof(
  scripts.map((text) => Buffer.from(text)),
  scripts.map((text) => Buffer.from(`\ufeff${text}`, "utf16le")),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  hostileText.map((text) => Buffer.from(`-- phase: ${text}\n-- no-transaction\nSELECT 1`)),
);

test("a bundle of whatever files: scripts in their order, or one line", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(names, contents), { maxLength: 4 }),
      fc.constantFrom("mssql", "postgres"),
      (files, dialect) => {
        const found = readOrRefused(() => readScripts(new Map(files)));
        for (const script of found ?? []) {
          expect(script.name).toMatch(/^[0-9][0-9A-Za-z._-]*\.sql$/);
          expect(script.sql).not.toMatch(/[\r\0]/);
          let findings: ReturnType<typeof lint> = [];
          try {
            findings = lint(script, dialect as Dialect);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidInput);
            expectOneLine((error as Error).message);
          }
          for (const { message } of findings) expectOneLine(message);
        }
      },
    ),
    runs(1),
  );
});

const WORDS = (
  "ALTER TABLE VIEW PROCEDURE PROC FUNCTION TRIGGER INDEX UNIQUE SCHEMA ROLE USER DATABASE SEQUENCE CREATE DROP DELETE FROM TRUNCATE " +
  "MERGE USING ON WHEN MATCHED THEN UPDATE SET INSERT INTO VALUES SELECT WITH AS EXEC EXECUTE sp_rename sp_executesql GRANT DENY REVOKE " +
  "TO IF ELSE WHILE BEGIN END TRY CATCH TRAN COMMIT ROLLBACK RETURN GOTO CASE ADD COLUMN CONSTRAINT CHECK FOREIGN KEY PRIMARY REFERENCES " +
  'DEFAULT FOR NOT NULL IDENTITY GENERATED DISABLE ENABLE SWITCH OR EXISTS DO LANGUAGE RENAME TYPE ONLY CASCADE a b #t @x dbo.a [a] "b" ' +
  "'x' N'SELECT 1' 'DROP TABLE a' 1 ( ) ( ) , ; = + . : * { } $$"
).split(" ");
const statementsOfWords = fc
  .array(fc.oneof(fc.constantFrom(...WORDS), fc.constantFrom("\n", "\nGO\n", "\n-- reviewed: x\n")), {
    maxLength: 40,
  })
  .map((words) => words.join(" "));

test.each([
  ["mssql", "\nGO\n"],
  ["postgres", "\n;\n"],
] as const)(
  "%s: whatever words stand before it, a statement that breaks something is found",
  (dialect, parting) => {
    fc.assert(
      fc.property(statementsOfWords, (sql) => {
        const parted = `${sql}${parting}DROP TABLE goals`;
        const [script] = readScripts(new Map([["1-a.sql", Buffer.from(parted)]]));
        const findings = readOrRefused(() => lint(script!, dialect));
        if (findings === null) return;
        for (const { message } of findings) expectOneLine(message);
        expect(findings).toContainEqual(
          expect.objectContaining({ level: "breaks", line: parted.split("\n").length }),
        );
      }),
      runs(5),
    );
  },
);
