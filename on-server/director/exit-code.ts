/** The exit codes of the director, and the one error that carries them. */
export const EXIT = {
  done: 0,
  unexpected: 1,
  badInput: 2,
  /** A stale record, a lock that is held, a live slot that is not the recorded one: nothing was touched. */
  refused: 3,
  /** The candidate did not pass verification: it never got a request. */
  rejected: 4,
  /** Aborted or misbehaving: traffic is back on stable. */
  aborted: 5,
  /** Traffic stays where it is healthy; a person decides. */
  frozen: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a step with an exit code; the message says what was refused, which values disagree, and what to do next. */
export class StepFailure extends Error {
  override readonly name = "StepFailure";

  constructor(
    readonly exitCode: Exclude<ExitCode, 0>,
    message: string,
  ) {
    super(message);
  }
}
