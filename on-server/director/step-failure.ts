/** The one error that ends a director's step with an exit code. */
import type { FailureCode } from "../../release/exit-code";

/** The message says what was refused, which values disagree, and what to do next. */
export class StepFailure extends Error {
  override readonly name = "StepFailure";

  constructor(
    readonly exitCode: FailureCode,
    message: string,
  ) {
    super(message);
  }
}
