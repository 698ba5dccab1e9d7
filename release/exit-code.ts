/** Exit codes of steps and of the command. Terraform, pipelines and operators rely on them. */
export const EXIT = {
  /** Users get what was asked for. */
  done: 0,
  unexpected: 1,
  /** An invalid option, file or variable. */
  badInput: 2,
  /** A stale record, a lock held by another run, or a live slot other than the recorded one. Nothing was changed. */
  refused: 3,
  /** The candidate failed verification, or its migration failed. It never got a request. */
  rejected: 4,
  /** Aborted or misbehaving: traffic is back on stable. */
  aborted: 5,
  /** Traffic stays where it is healthy; a person decides. */
  frozen: 6,
} as const;

/** An exit code of the table. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The exit code of a program that failed. */
export type FailureCode = Exclude<ExitCode, 0>;

const CODES: readonly number[] = Object.values(EXIT);

/** @returns the code if it is a failure listed above, otherwise {@link EXIT.unexpected}: 0 and 127 do not show the cause. */
export function failureCode(code: number): FailureCode {
  return code !== EXIT.done && CODES.includes(code) ? (code as FailureCode) : EXIT.unexpected;
}
