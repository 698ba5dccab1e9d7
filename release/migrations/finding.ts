/** A finding of the linter about one statement of a script. */
export interface Finding {
  readonly script: string;
  readonly line: number;
  /**
   * `breaks`: the running release loses something that it may use. `fails`: the server refuses it, in any phase.
   * `unknown`: the linter can't judge it. `advice`: what to know before it runs.
   * Scripts with `breaks` or `fails` are refused.
   */
  readonly level: "breaks" | "fails" | "unknown" | "advice";
  /** What the running release loses. */
  readonly kind: Kind;
  readonly message: string;
}

/**
 * `drop`: something is removed. `rename`: it has another name. `column`: a column accepts less than before. `default`: a new
 * column needs a value. `rule`: rows must satisfy a new constraint. `other`: rows, permissions or anything else; or nothing
 * breaks.
 */
export type Kind = "drop" | "rename" | "column" | "default" | "rule" | "other";

/** Kind and message for a statement that breaks something. */
export type Broken = Pick<Finding, "kind" | "message">;

export type Level = Finding["level"];

export const RENAMES: Broken = {
  kind: "rename",
  message: "renames something that the running release uses by its old name",
};
