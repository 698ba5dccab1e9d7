/** The result of a step that succeeded. A failed step throws. */
import type { Outcome } from "../../../release/director-status";

export interface StepEnd {
  readonly outcome: Outcome;
  readonly reason: string;
}
