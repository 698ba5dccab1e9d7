/** A statement of PostgreSQL as the linter sees it, and what it finds in one. */
import type { Broken, Level } from "./finding";

export interface Statement {
  /** Its first token. */
  readonly token: number;
  readonly line: number;
  /** Words in upper case, quoted names as `"NAME"`, strings as `''`, everything else as it is; without comments. */
  readonly words: readonly string[];
}

export interface Judged extends Broken {
  readonly level: Level;
}
