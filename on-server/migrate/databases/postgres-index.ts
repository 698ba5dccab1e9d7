/**
 * PostgreSQL's CONCURRENTLY statements. They block no others, so they may wait for locks. One that fails leaves an INVALID
 * index, which no query uses, each write updates, and IF NOT EXISTS skips. PostgreSQL's documentation recommends to drop
 * it and build it again (CREATE INDEX, "Building Indexes Concurrently").
 */
import { tokens } from "../../../release/migrations/sql-text";
import type { Token } from "../../../release/migrations/sql-text";

const MAX_TOKENS = 20;

export interface ConcurrentIndex {
  /** As the script spells it; null if the server chooses it. */
  readonly name: string | null;
  /** As the script spells it. */
  readonly table: string;
}

/** Whether a statement waits for others without blocking them. */
export function isConcurrent(statement: string): boolean {
  const words = wordsIn(statement);
  const at = words.indexOf("CONCURRENTLY");
  return at > 0 && /^(CREATE|DROP|REINDEX|REFRESH|ALTER)$/.test(words[0]!);
}

/** The index that CREATE INDEX CONCURRENTLY builds; null for any other statement. */
export function concurrentIndex(statement: string): ConcurrentIndex | null {
  const words = wordsIn(statement);
  let at = 0;
  const next = (...wanted: string[]): boolean => {
    if (!wanted.every((word, index) => words[at + index] === word)) return false;
    at += wanted.length;
    return true;
  };
  if (!next("CREATE")) return null;
  next("UNIQUE");
  if (!next("INDEX", "CONCURRENTLY")) return null;
  next("IF", "NOT", "EXISTS");
  const spelled = spelledIn(statement);
  const name = words[at] === "ON" ? null : spelled[at++]!;
  if (!next("ON")) return null;
  next("ONLY");
  let table = "";
  while (at < words.length && words[at] !== "(" && words[at] !== "USING") table += spelled[at++]!;
  return { name, table };
}

/** The INVALID indexes of the table $1 that are not being built now; only the one named $2, if it is not null. */
export const INVALID_INDEXES = `SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT i.indisvalid AND i.indrelid = to_regclass($1) AND ($2::text IS NULL OR c.relname = (parse_ident($2))[1])
    AND NOT EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
  ORDER BY 1`;

/** The tokens, with words in upper case; quoted names are unchanged. */
function wordsIn(statement: string): string[] {
  return beginning(statement).map(({ kind, text }) => (kind === "word" ? text.toUpperCase() : text));
}

function spelledIn(statement: string): string[] {
  return beginning(statement).map(({ text }) => text);
}

/** The first tokens, enough for the names: a statement may have megabytes. */
function beginning(statement: string): Token[] {
  const found: Token[] = [];
  for (const token of tokens(statement, "postgres")) {
    if (token.kind !== "comment") found.push(token);
    if (found.length === MAX_TOKENS) break;
  }
  return found;
}
