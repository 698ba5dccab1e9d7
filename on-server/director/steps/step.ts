/** How a step ends well. (It ends badly with a StepFailure.) */
import type { Outcome } from "../state";

export interface StepEnd {
  readonly outcome: Outcome;
  readonly reason: string;
}
