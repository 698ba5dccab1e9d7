/** A PostgreSQL statement as the linter sees it, and its verdict. */
import type { Broken, Level } from "./finding";

export interface Statement {
  /** Its first token. */
  readonly token: number;
  readonly line: number;
  /** Words in upper case, quoted names as `"NAME"`, strings as `''`, other tokens unchanged; no comments. */
  readonly words: readonly string[];
}

export interface Judged extends Broken {
  readonly level: Level;
}
