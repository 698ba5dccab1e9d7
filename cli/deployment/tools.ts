/** What every operation works with: somebody to tell, and Terraform. */
import type { Progress } from "../terminal/progress";
import type { TerraformBinary } from "../terraform/binary";

export interface Tools {
  readonly progress: Progress;
  readonly terraform: TerraformBinary;
}
