/**
 * Comments by which a person takes the responsibility for a statement: `-- reviewed: why`, on a line of its own before
 * the statement, or at the end of a line of it. At the end of a line it says nothing about the statement after it.
 */
import type { TokenTable } from "./lexer";

const REVIEW = /^--[ \t]*reviewed:[ \t]*\S/;

export class Reviews {
  /** The tokens before which one stands. */
  private readonly before = new Set<number>();
  /** The tokens behind which one stands, on the same line. */
  private readonly behind: number[] = [];
  /** Where statements begin, in their order. */
  private readonly starts: number[] = [];

  /** @param comment in the table. @param tokens those next to it that are no comments. */
  look(
    table: TokenTable,
    comment: number,
    tokens: { readonly before: number; readonly after: number },
  ): void {
    if (!REVIEW.test(table.sql.slice(table.start(comment), table.start(comment) + LONGEST))) return;
    if (isAlone(table.sql, table.start(comment))) this.before.add(tokens.after);
    else this.behind.push(tokens.before);
  }

  /** A batch ends before this token: what stood behind its last statement says nothing of the next batch. */
  endBatch(token: number): void {
    this.before.delete(token);
  }

  /** Hears where each statement begins. */
  begins(statement: number): void {
    this.starts.push(statement);
  }

  /** Whether a person looked at the statement. To be asked when all statements are known. */
  has(statement: number): boolean {
    if (this.before.has(statement)) return true;
    if (this.behind.length === 0) return false;
    const next = this.starts[firstAbove(this.starts, statement)] ?? Infinity;
    const first = this.behind[firstAbove(this.behind, statement - 1)] ?? Infinity;
    return first < next;
  }
}

/** Of a comment, as much as shows that it is a review. */
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
