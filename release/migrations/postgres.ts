/**
 * PostgreSQL linter: the first words show whether a statement is harmless, breaking or unknown. Each action of `ALTER TABLE`
 * is judged separately. No running release uses what the script itself created.
 */
import { inOneLine } from "../text";
import { RENAMES } from "./finding";
import type { Broken, Finding } from "./finding";
import { COMMENT, lex, NAME, STRING, WORD } from "./lexer";
import type { TokenTable } from "./lexer";
import { Additions } from "./postgres-additions";
import type { Judged, Statement } from "./postgres-statement";
import { Reviews } from "./reviews";
import type { Script } from "./scripts";
import { statementParts } from "./sql-text";

interface Rule {
  readonly when: RegExp;
  /** null: harmless. */
  readonly breaks: Broken | null;
}

const MODULE = "(PROCEDURE|FUNCTION|TRIGGER|VIEW)";

/** The first matching rule decides. */
const RULES: readonly Rule[] = [
  { when: /^DROP INDEX\b/, breaks: null },
  {
    when: /^DROP (TABLE|SCHEMA|DATABASE)\b/,
    breaks: { kind: "drop", message: "drops what the running release may still use" },
  },
  {
    when: /^DROP\b/,
    breaks: { kind: "drop", message: "drops something that the running release may still use" },
  },
  {
    when: /^TRUNCATE\b/,
    breaks: { kind: "other", message: "removes rows that the running release may still use" },
  },
  { when: /^ALTER .*\bRENAME\b/, breaks: RENAMES },
  { when: /^ALTER (DATABASE|SEQUENCE|INDEX|ROLE|USER|TYPE .* ADD VALUE)\b/, breaks: null },
  { when: new RegExp(`^CREATE (OR REPLACE )?(CONSTRAINT )?${MODULE}\\b`), breaks: null },
  {
    when: /^CREATE (GLOBAL |LOCAL |TEMPORARY |TEMP |UNLOGGED )*(TABLE|SCHEMA|SEQUENCE|TYPE|INDEX|STATISTICS|USER|ROLE|DOMAIN|EXTENSION|MATERIALIZED VIEW)\b/,
    breaks: null,
  },
  {
    when: /^(INSERT|UPDATE|SELECT|WITH|MERGE|VALUES|GRANT|COMMENT|SET|BEGIN|END|ANALYZE|RESET)\b/,
    breaks: null,
  },
  {
    when: /^DELETE\b/,
    breaks: { kind: "other", message: "removes rows that the running release may still use" },
  },
  {
    when: /^REVOKE\b/,
    breaks: { kind: "other", message: "revokes a permission that the running release may still use" },
  },
];

/** Rules for one action of ALTER TABLE. */
const ACTIONS: readonly Rule[] = [
  { when: /^RENAME\b/, breaks: RENAMES },
  {
    when: /^SET SCHEMA\b/,
    breaks: { kind: "other", message: "moves something that the running release uses by its old name" },
  },
  { when: /^DROP CONSTRAINT\b/, breaks: null },
  { when: /^ALTER (COLUMN )?\S+ DROP (DEFAULT|NOT NULL|EXPRESSION|IDENTITY)\b/, breaks: null },
  {
    when: /^DROP\b/,
    breaks: { kind: "drop", message: "drops a column that the running release may still use" },
  },
  {
    when: /^ALTER (COLUMN )?\S+ SET NOT NULL\b/,
    breaks: { kind: "column", message: "refuses rows without a value, which the running release may write" },
  },
  {
    when: /^ALTER (COLUMN )?\S+ (SET DATA )?TYPE\b/,
    breaks: {
      kind: "column",
      message:
        "changes a column's type: a narrower one refuses what the running release writes, and the table is locked while it is rewritten",
    },
  },
  { when: /^ALTER (COLUMN )?\S+ SET (DEFAULT|STATISTICS|STORAGE|COMPRESSION)\b/, breaks: null },
  {
    when: /^ALTER COLUMN\b/,
    breaks: {
      kind: "column",
      message: "changes a column: a narrower type, or NOT NULL, refuses what the running release writes",
    },
  },
  {
    when: /^ADD (CONSTRAINT \S+ )?(UNIQUE|CHECK|FOREIGN KEY|PRIMARY KEY|EXCLUDE)\b/,
    breaks: { kind: "rule", message: "adds a constraint that the running release's writes may violate" },
  },
  { when: /^(ENABLE|VALIDATE|ADD)\b/, breaks: null },
];

const UNKNOWN: Judged = {
  ...{ level: "unknown", kind: "other" },
  message: "unknown statement: check that the running release works with it",
};

/** Enough words of a statement for the rules above. ALTER TABLE and unique indexes are read completely. */
const FIRST_WORDS = 40;

/** The limit of findings for unknown statements: a longer list is not useful. */
const MOST_UNKNOWN = 200;

export function lintPostgres(script: Script): Finding[] {
  if (script.phase === "contract") return [];
  return new Reader(script).read();
}

class Reader {
  private readonly additions = new Additions();
  private unknown = 0;
  private readonly notes: { readonly statement: Statement; readonly judged: Judged }[] = [];

  constructor(private readonly script: Script) {}

  read(): Finding[] {
    const table = lex(this.script.sql, "postgres");
    const reviews = readReviews(table);
    for (const { from, to } of statementParts(table)) {
      const statement = readStatement(table, from, to);
      if (statement === null) continue;
      reviews.begins(statement.token);
      const judged = this.judge(statement);
      if (judged === null || (judged.level === "unknown" && (this.unknown += 1) > MOST_UNKNOWN)) continue;
      this.notes.push({ statement, judged });
    }
    this.notes.push(...this.additions.gone(this.script.transaction));
    return this.notes
      .filter(({ statement }) => !reviews.has(statement.token))
      .sort((one, other) => one.statement.token - other.statement.token)
      .map(({ statement: { line, words }, judged }) => ({
        script: this.script.name,
        line,
        ...judged,
        message: `${start(words)}: ${judged.message}`,
      }));
  }

  private judge(statement: Statement): Judged | null {
    const { words } = statement;
    if (words[0] === "ALTER" && words[1] === "TABLE") return this.alterTable(words);
    if (this.additions.handles(statement)) return null;
    if (words[0] === "CREATE" && words[1] === "UNIQUE")
      return breaks(this.additions.uniqueIndexBreaks(words));
    const text = words.slice(0, FIRST_WORDS).join(" ");
    const rule = RULES.find(({ when }) => when.test(text));
    if (rule !== undefined) return breaks(rule.breaks);
    return words[0] === "DO" ? { ...UNKNOWN, message: "the linter does not check what it does" } : UNKNOWN;
  }

  /** @returns the verdict on the first breaking action, otherwise on the first unknown one. */
  private alterTable(words: readonly string[]): Judged | null {
    const judged = this.additions
      .actions(words)
      .map(({ table, action }) => {
        const verdict = this.additions.judge(table, action);
        if (verdict !== undefined) return breaks(verdict);
        const text = action.slice(0, FIRST_WORDS).join(" ");
        const rule = ACTIONS.find(({ when }) => when.test(text));
        return rule === undefined ? UNKNOWN : breaks(rule.breaks);
      })
      .filter((each) => each !== null);
    return judged.find(({ level }) => level === "breaks") ?? judged[0] ?? null;
  }
}

function breaks(broken: Broken | null): Judged | null {
  return broken === null ? null : { level: "breaks", ...broken };
}

function readReviews(table: TokenTable): Reviews {
  const reviews = new Reviews();
  let last = -1;
  const waiting: number[] = [];
  for (let index = 0; index < table.length; index += 1) {
    if (table.kind(index) === COMMENT) waiting.push(index);
    else {
      for (const comment of waiting.splice(0)) reviews.add(table, comment, { before: last, after: index });
      last = index;
    }
  }
  for (const comment of waiting) reviews.add(table, comment, { before: last, after: table.length });
  return reviews;
}

function readStatement(table: TokenTable, from: number, to: number): Statement | null {
  let token = from;
  while (token < to && table.kind(token) === COMMENT) token += 1;
  const words: string[] = [];
  let isWhole = false;
  for (let index = token; index < to && (isWhole || words.length < FIRST_WORDS); index += 1) {
    if (table.kind(index) === COMMENT) continue;
    words.push(spelled(table, index));
    if (words.length === 2) isWhole = /^(ALTER TABLE|CREATE UNIQUE)$/.test(words.join(" "));
  }
  return words.length === 0 ? null : { token, line: table.line(token), words };
}

function spelled(table: TokenTable, index: number): string {
  switch (table.kind(index)) {
    case WORD:
      return table.text(index).toUpperCase();
    case NAME:
      return `"${table.text(index).slice(1, -1).toUpperCase().replaceAll(/\s/g, "_")}"`;
    case STRING:
      return "''";
    default:
      return table.text(index);
  }
}

/** Enough of a statement to find it in its line. */
const LONGEST_START = 200;

function start(words: readonly string[]): string {
  const text = inOneLine(words.slice(0, 6).join(" ").replaceAll(" . ", "."));
  return words.length > 6 || text.length > LONGEST_START ? `${text.slice(0, LONGEST_START)} ...` : text;
}
