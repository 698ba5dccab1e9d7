/** How a step and the command end: Terraform's, a pipeline's and the operator's fact. */
export const EXIT = {
  /** Users get what was asked for. */
  done: 0,
  unexpected: 1,
  /** An option, a file or a variable that means nothing here. */
  badInput: 2,
  /** A stale record, a lock that is held, a live slot that is not the recorded one: nothing was touched. */
  refused: 3,
  /** The candidate did not pass verification, or its migration failed: it never got a request. */
  rejected: 4,
  /** Aborted or misbehaving: traffic is back on stable. */
  aborted: 5,
  /** Traffic stays where it is healthy; a person decides. */
  frozen: 6,
} as const;

/** An exit code of the table. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What a program that did not succeed ends with. */
export type FailureCode = Exclude<ExitCode, 0>;

const CODES: readonly number[] = Object.values(EXIT);

/** @returns the code where it is a failure of the table, else {@link EXIT.unexpected}: 0 and 127 say nothing of why. */
export function failureCode(code: number): FailureCode {
  return code !== EXIT.done && CODES.includes(code) ? (code as FailureCode) : EXIT.unexpected;
}
