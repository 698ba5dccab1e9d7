/** Errors that end a program with a message for the operator. Any other error is a defect and shows its stack. */
import { EXIT } from "./exit-code";
import type { FailureCode } from "./exit-code";

/** One or two lines: what was refused or failed, the values that disagree, and what to do next. */
export class Failure extends Error {
  override readonly name: string = "Failure";

  constructor(
    message: string,
    readonly exitCode: FailureCode,
  ) {
    super(message);
  }
}

/** Bad input: an invalid option, file or variable. */
export class InvalidInput extends Failure {
  override readonly name = "InvalidInput";

  constructor(message: string) {
    super(message, EXIT.badInput);
  }
}

/** The domain refuses before anything happens. Callers can branch on the reason. */
export class Refusal extends Failure {
  override readonly name = "Refusal";

  constructor(
    readonly reason:
      | "stale"
      | "finished"
      | "not-begun"
      | "aborted"
      | "failed-before"
      | "retained"
      | "draining"
      | "drained"
      | "last-server"
      | "nothing-live"
      | "nothing-to-promote"
      | "nothing-to-roll-back-to"
      | "nothing-to-retry"
      | "nothing-to-resolve"
      | "nothing-to-cancel"
      | "not-promoted"
      | "old-schema"
      | "already-there"
      | "unknown-release"
      | "proxies-disagree"
      | "moved-by-hand"
      | "proxy-silent"
      | "proxy-behind"
      | "not-possible-here"
      | "not-in-the-plan"
      | "plan-moved"
      | "banned"
      | "frozen",
    message: string,
    exitCode: FailureCode = EXIT.refused,
  ) {
    super(message, exitCode);
  }
}

/** @returns the exit code of a thrown error; null for a defect. */
export function failureCodeOf(error: unknown): FailureCode | null {
  return error instanceof Failure ? error.exitCode : null;
}
