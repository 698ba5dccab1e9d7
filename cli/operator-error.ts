/** What ends the command with a message and an exit code. */
import type { FailureCode } from "../release/exit-code";

/**
 * The one error class of the command `bluegreen`: something a person has to know, in one or two lines (what was
 * refused, the values that disagree, what to do next). Whatever else is thrown is a defect and shows its stack.
 */
export class OperatorError extends Error {
  override readonly name = "OperatorError";

  constructor(
    message: string,
    readonly exitCode: FailureCode,
  ) {
    super(message);
  }
}
