/** What the linter has to say about one statement of a script. */
export interface Finding {
  readonly script: string;
  readonly line: number;
  /**
   * `breaks`: the running release loses something that it may use. `fails`: the server refuses it, in whichever phase.
   * `unknown`: nothing is known against it, nor for it. `advice`: what to know before it runs.
   * Scripts with `breaks` or `fails` are refused.
   */
  readonly level: "breaks" | "fails" | "unknown" | "advice";
  /** What the running release loses. */
  readonly kind: Kind;
  readonly message: string;
}

/**
 * `drop`: something is gone. `rename`: it has another name. `column`: a column takes less than before. `default`: a new
 * column needs a value. `rule`: rows have to keep a new rule. `other`: rows, rights, whatever else; or nothing breaks.
 */
export type Kind = "drop" | "rename" | "column" | "default" | "rule" | "other";

/** What is said against a statement that breaks something. */
export type Broken = Pick<Finding, "kind" | "message">;

export type Level = Finding["level"];

export const RENAMES: Broken = {
  kind: "rename",
  message: "renames what the running release knows by its old name",
};
