/** What every operation needs: progress output, and Terraform. */
import type { Progress } from "../terminal/progress";
import type { TerraformBinary } from "../terraform/binary";

export interface Tools {
  readonly progress: Progress;
  readonly terraform: TerraformBinary;
}
