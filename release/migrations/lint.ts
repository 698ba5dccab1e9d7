/**
 * Finds what an expand script may not do, because the release that is running still needs it: by its first words a
 * statement is harmless, breaking, or unknown. A comment `-- reviewed: why` before a statement says that a person
 * looked at it and takes the responsibility.
 */
import { inOneLine } from "../validation";
import { batches, statements, tokens } from "./sql-text";
import type { Dialect, Token } from "./sql-text";
import type { Script } from "./scripts";

export interface Finding {
  readonly script: string;
  readonly line: number;
  /** `unknown`: nothing is known against it, nor for it. */
  readonly level: "breaks" | "unknown";
  readonly message: string;
}

interface Statement {
  readonly line: number;
  /** Words in upper case, quoted names as `"name"`, everything else as it is; without comments. */
  readonly words: readonly string[];
  readonly reviewed: boolean;
}

interface Rule {
  readonly when: RegExp;
  /** null: harmless. */
  readonly breaks: string | null;
}

const NAME = String.raw`(?:[^\s(]+(?: \. [^\s(]+)*)`;
const MODULE = "(PROCEDURE|PROC|FUNCTION|TRIGGER|VIEW)";

/** The first rule that fits decides. */
const RULES: readonly Rule[] = [
  { when: /^DROP (TABLE|SCHEMA|DATABASE)\b/, breaks: "drops what the running release may still use" },
  { when: /^DROP INDEX\b/, breaks: null },
  { when: /^DROP\b/, breaks: "drops something that the running release may still use" },
  { when: /^TRUNCATE\b/, breaks: "removes rows that the running release may still use" },
  {
    when: /^(EXEC|EXECUTE) (\S+ \. )*("?)SP_RENAME\3( |$)/i,
    breaks: "renames what the running release knows by its old name",
  },
  { when: /^ALTER .*\bRENAME\b/, breaks: "renames what the running release knows by its old name" },
  { when: /^ALTER TABLE .*\bSWITCH\b/, breaks: "moves rows away from the running release" },
  {
    when: /^ALTER TABLE .*\bSET SCHEMA\b|^ALTER SCHEMA \S+ TRANSFER\b/,
    breaks: "moves what the running release knows under its old name",
  },
  {
    when: /^ALTER TABLE .*\bDROP (CONSTRAINT|DEFAULT|NOT NULL|EXPRESSION|IDENTITY)\b(?!.*\b(DROP COLUMN|TYPE|SET NOT NULL)\b)/,
    breaks: null,
  },
  { when: /^ALTER TABLE .*\bDROP\b/, breaks: "drops a column that the running release may still use" },
  {
    when: /^ALTER TABLE .*\bSET NOT NULL\b/,
    breaks: "refuses rows without a value, which the running release may write",
  },
  {
    when: /^ALTER TABLE .*\bALTER (COLUMN )?\S+ (SET DATA )?TYPE\b/,
    breaks:
      "changes a column's type: a narrower one refuses what the running release writes, and the table is locked while it is rewritten",
  },
  {
    when: /^ALTER TABLE .*\bALTER (COLUMN )?\S+ SET (DEFAULT|STATISTICS|STORAGE|COMPRESSION)\b/,
    breaks: null,
  },
  {
    when: /^ALTER TABLE .*\bALTER COLUMN\b/,
    breaks: "changes a column: a narrower type, or NOT NULL, refuses what the running release writes",
  },
  {
    when: /^ALTER TABLE .*\b(ADD|WITH (NO)?CHECK ADD) (CONSTRAINT \S+ )?(UNIQUE|CHECK|FOREIGN KEY|PRIMARY KEY|EXCLUDE)\b/,
    breaks: "adds a rule that what the running release writes may not keep",
  },
  { when: /^ALTER TABLE .*\b(ENABLE|VALIDATE|CHECK CONSTRAINT|NOCHECK)\b/, breaks: null },
  { when: /^ALTER (DATABASE|SEQUENCE|INDEX|FULLTEXT|ROLE|USER|TYPE .* ADD VALUE)\b/, breaks: null },
  { when: new RegExp(`^CREATE (OR REPLACE |OR ALTER )${MODULE}\\b`), breaks: null },
  {
    when: /^CREATE (UNIQUE )(CLUSTERED |NONCLUSTERED )?INDEX\b/,
    breaks: "refuses duplicates, which the running release may write",
  },
  {
    when: /^CREATE (GLOBAL |LOCAL |TEMPORARY |TEMP |UNLOGGED )*(TABLE|SCHEMA|SEQUENCE|TYPE|INDEX|CLUSTERED|NONCLUSTERED|COLUMNSTORE|FULLTEXT|STATISTICS|SYNONYM|USER|ROLE|DOMAIN|EXTENSION|MATERIALIZED VIEW)\b/,
    breaks: null,
  },
  { when: new RegExp(`^CREATE ${MODULE}\\b`), breaks: null },
  {
    when: /^(INSERT|UPDATE|SELECT|WITH|MERGE|VALUES|GRANT|COMMENT|SET|DECLARE|PRINT|IF|ELSE|BEGIN|END|WHILE|RETURN|RAISERROR|THROW|WAITFOR|ANALYZE|RESET|TRY|CATCH)\b/,
    breaks: null,
  },
  { when: /^DELETE\b/, breaks: "removes rows that the running release may still use" },
  { when: /^(REVOKE|DENY)\b/, breaks: "takes a right that the running release may still use" },
];

const ADDED_COLUMN = new RegExp(`\\bADD (?:COLUMN )?(?:IF NOT EXISTS )?`, "g");
const FIRST_WORDS =
  /^(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|TRUNCATE|EXEC|EXECUTE|GRANT|REVOKE|DENY|MERGE|SET|DECLARE|IF|ELSE|WHILE|BEGIN|END|PRINT|SELECT|WITH|RETURN|THROW|RAISERROR|WAITFOR)$/;
const OBJECTS =
  /^(TABLE|VIEW|PROCEDURE|PROC|FUNCTION|TRIGGER|INDEX|SCHEMA|TYPE|SEQUENCE|SYNONYM|USER|ROLE|DATABASE|STATISTICS|LOGIN)$/;

/** Looks at one script; contract scripts may do anything, as nobody needs the old schema when they run. */
export function lint(script: Script, dialect: Dialect): Finding[] {
  if (script.phase === "contract") return [];
  const created = new Set<string>();
  return statementsOf(script.sql, dialect).flatMap((statement) => {
    const text = statement.words.join(" ");
    const table = new RegExp(`^CREATE (?:TEMP(?:ORARY)? |UNLOGGED )?TABLE (?:IF NOT EXISTS )?(${NAME})`).exec(
      text,
    );
    if (table !== null) created.add(table[1]!);
    if (statement.reviewed || isAboutNewTable(text, created)) return [];
    return judge(text, dialect).map(({ level, message }) => ({
      script: script.name,
      line: statement.line,
      level,
      message: `${start(statement.words)}: ${message}`,
    }));
  });
}

function judge(text: string, dialect: Dialect): Pick<Finding, "level" | "message">[] {
  const rule = RULES.find(({ when }) => when.test(text));
  if (rule !== undefined) return rule.breaks === null ? [] : [{ level: "breaks", message: rule.breaks }];
  if (/^ALTER TABLE .*\bADD\b/.test(text)) {
    return addsRequiredColumn(text)
      ? [
          {
            level: "breaks",
            message: "a column that is NOT NULL needs a DEFAULT: the running release does not write it",
          },
        ]
      : [];
  }
  if (dialect === "postgres" && /^DO\b/.test(text))
    return [{ level: "unknown", message: "what it does is not looked at" }];
  return [
    {
      level: "unknown",
      message: "this statement is not known: look whether the running release can do with it",
    },
  ];
}

/** What a script itself has made, no running release uses. */
function isAboutNewTable(text: string, created: ReadonlySet<string>): boolean {
  const alter = new RegExp(`^ALTER TABLE (?:ONLY )?(?:IF EXISTS )?(${NAME})`).exec(text);
  const index = new RegExp(`^CREATE UNIQUE .*?\\bON (?:ONLY )?(${NAME})`).exec(text);
  const table = alter?.[1] ?? index?.[1];
  return table !== undefined && created.has(table);
}

/** Each column that ALTER TABLE ... ADD names, as far as a comma outside of parentheses. */
function addsRequiredColumn(text: string): boolean {
  const from = [...text.matchAll(ADDED_COLUMN)].at(0);
  if (from === undefined) return false;
  const columns: string[] = [""];
  let depth = 0;
  for (const word of text.slice(from.index + from[0].length).split(" ")) {
    depth += word === "(" ? 1 : word === ")" ? -1 : 0;
    if (word === "," && depth === 0) columns.push("");
    else columns[columns.length - 1] += ` ${word}`;
  }
  return columns.some(
    (column) =>
      /\bNOT NULL\b|\bPRIMARY KEY\b/.test(column) &&
      !/\b(DEFAULT|IDENTITY|GENERATED|(SMALL|BIG)?SERIAL|AS)\b/.test(column),
  );
}

function statementsOf(sql: string, dialect: Dialect): Statement[] {
  if (dialect === "postgres") {
    return statements(sql).map(({ text, line }) => collect([...tokens(text, dialect)], line));
  }
  return batches(sql).flatMap(({ text, line }) =>
    splitBatch([...tokens(text, dialect)]).map((part) => collect(part, line)),
  );
}

/** T-SQL ends statements with a semicolon or without: a word that only begins one begins the next. */
function splitBatch(all: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  let depth = 0;
  let comments: Token[] = [];
  for (const [index, token] of all.entries()) {
    if (token.kind === "comment") {
      comments.push(token);
      continue;
    }
    const current = parts.at(-1)!;
    depth += token.text === "(" ? 1 : token.text === ")" ? -1 : 0;
    const isModule = /^(CREATE|ALTER) (OR ALTER )?(PROCEDURE|PROC|FUNCTION|TRIGGER|VIEW)\b/.test(
      upper(current),
    );
    if (!isModule && token.text === ";") parts.push([]);
    else if (!isModule && depth === 0 && beginsStatement(all, index, current))
      parts.push([...comments, token]);
    else current.push(...comments, token);
    comments = [];
  }
  return parts.filter((part) => part.some(({ kind }) => kind !== "comment"));
}

function beginsStatement(all: readonly Token[], index: number, current: readonly Token[]): boolean {
  const { kind, text } = all[index]!;
  const word = text.toUpperCase();
  const before = current.findLast((token) => token.kind !== "comment")?.text.toUpperCase();
  if (kind !== "word" || before === undefined || !FIRST_WORDS.test(word)) return false;
  const next =
    all
      .slice(index + 1)
      .find((token) => token.kind !== "comment")
      ?.text.toUpperCase() ?? "";
  if (word === "DELETE" || word === "UPDATE" || word === "INSERT")
    return !/^(ON|FOR|AFTER|THEN|,)$/.test(before);
  if (word === "SET") return !/^(DELETE|UPDATE)$/.test(before) && !upper(current).startsWith("ALTER");
  if (word === "WITH") return false;
  if (word === "ALTER") return next !== "COLUMN" && before !== "OR";
  if (word === "DROP") return OBJECTS.test(next);
  return !(word === "END" || word === "ELSE" || word === "IF") || !upper(current).includes("CASE");
}

function collect(all: readonly Token[], offset: number): Statement {
  const first = all.findIndex(({ kind }) => kind !== "comment");
  const leading = all.slice(0, Math.max(0, first));
  return {
    line: (all[first]?.line ?? 1) + offset - 1,
    words: all.filter(({ kind }) => kind !== "comment").map(spelled),
    reviewed: leading.some(({ text }) => /^--[ \t]*reviewed:[ \t]*\S/.test(text)),
  };
}

function spelled({ kind, text }: Token): string {
  if (kind === "word") return text.toUpperCase();
  if (kind === "name") return `"${text.slice(1, -1).toUpperCase().replaceAll(/\s/g, "_")}"`;
  return kind === "string" ? "''" : text;
}

function upper(part: readonly Token[]): string {
  const words = part.filter(({ kind }) => kind !== "comment").slice(0, 30);
  return words.map(({ text }) => text.toUpperCase()).join(" ");
}

/** Of a statement: enough to find it in its line. */
const LONGEST_START = 200;

function start(words: readonly string[]): string {
  const text = inOneLine(words.slice(0, 6).join(" ").replaceAll(" . ", "."));
  return words.length > 6 || text.length > LONGEST_START ? `${text.slice(0, LONGEST_START)} ...` : text;
}
