/** What ends a director's step with an exit code: this error, and a refusal of the gate. */
import type { FailureCode } from "../../release/exit-code";
import { Refusal } from "../../release/refusal";

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

/** @returns null for a defect. */
export function failureOf(error: unknown): FailureCode | null {
  return error instanceof StepFailure || error instanceof Refusal ? error.exitCode : null;
}
