/** The inputs of all steps of a release. */
import type { DeploymentEnvironment } from "../../configuration/custom-environment";
import type { ReleaseRecord } from "../../release/record";

export interface Deployed {
  /** The environment: from a file (`parseEnvironment`), or defined in code (`customEnvironment`). */
  readonly environment: DeploymentEnvironment;
  /**
   * What should run. Sequence 0 means that nothing was released yet: there are no steps. All other records have the same
   * graph; only names change.
   */
  readonly record: ReleaseRecord;
}
