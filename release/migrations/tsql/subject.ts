/** What a verdict is about: the script so far, and the statement that is being read. */
import type { Kind, Level } from "../finding";
import type { DefaultConstraints } from "./default-constraints";
import type { Made } from "../made";
import type { Replacements } from "./replacements";
import type { Schema } from "./schema";

export interface Subject {
  readonly made: Made;
  readonly schema: Schema;
  readonly replacements: Replacements;
  readonly defaults: DefaultConstraints;
  readonly isContract: boolean;
  /** Whether the statement is the first one of its batch. */
  readonly isFirst: boolean;
  /** Notes something about the statement, or about the one that begins at the token. */
  report(level: Level, message: string, more?: { readonly kind?: Kind; readonly token?: number }): void;
  /** Speaks of this statement when it is over. */
  here(): (level: Level, message: string, kind?: Kind) => void;
  /** Looks into a text that the statement runs. @param line where the text begins in the one that is being read. */
  look(text: string, line: number): void;
}

export const MAY_USE = "that the running release may still use";
export const UNKNOWN = "unknown statement: check that the running release works with it";
