/**
 * Comments in which a reviewer accepts a statement: `-- reviewed: why`, on a separate line before the statement, or at the
 * end of one of its lines. At the end of a line, it does not apply to the next statement.
 */
import type { TokenTable } from "./lexer";

const REVIEW = /^--[ \t]*reviewed:[ \t]*\S/;

export class Reviews {
  /** Tokens with a review before them. */
  private readonly before = new Set<number>();
  /** Tokens with a review after them, on the same line. */
  private readonly behind: number[] = [];
  /** The first tokens of statements, in order. */
  private readonly starts: number[] = [];

  /** @param comment its index in the table. @param tokens the nearest other tokens before and after it. */
  add(table: TokenTable, comment: number, tokens: { readonly before: number; readonly after: number }): void {
    if (!REVIEW.test(table.sql.slice(table.start(comment), table.start(comment) + LONGEST))) return;
    if (isAlone(table.sql, table.start(comment))) this.before.add(tokens.after);
    else this.behind.push(tokens.before);
  }

  /** A batch ends before this token: a comment after its last statement does not apply to the next batch. */
  endBatch(token: number): void {
    this.before.delete(token);
  }

  /** Records where each statement begins. */
  begins(statement: number): void {
    this.starts.push(statement);
  }

  /** Whether the statement was reviewed. Call it when all statements are known. */
  has(statement: number): boolean {
    if (this.before.has(statement)) return true;
    if (this.behind.length === 0) return false;
    const next = this.starts[firstAbove(this.starts, statement)] ?? Infinity;
    const first = this.behind[firstAbove(this.behind, statement - 1)] ?? Infinity;
    return first < next;
  }
}

/** Enough of a comment to recognize a review. */
const LONGEST = 200;

function isAlone(sql: string, start: number): boolean {
  for (let at = start - 1; at >= 0 && sql[at] !== "\n"; at -= 1)
    if (!/[ \t\ufeff]/.test(sql[at]!)) return false;
  return true;
}

/** The index of the first of the sorted numbers that is above the limit. */
function firstAbove(sorted: readonly number[], limit: number): number {
  let from = 0;
  for (let to = sorted.length; from < to;) {
    const middle = (from + to) >> 1;
    if (sorted[middle]! > limit) to = middle;
    else from = middle + 1;
  }
  return from;
}
