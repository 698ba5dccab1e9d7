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
  readonly message: string;
}

export type Level = Finding["level"];
