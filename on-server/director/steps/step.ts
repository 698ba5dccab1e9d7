/** The result of a step that succeeded. A failed step throws. */
import type { Outcome } from "../state";

export interface StepEnd {
  readonly outcome: Outcome;
  readonly reason: string;
}
