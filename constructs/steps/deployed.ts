/** What all steps of a release are functions of. */
import type { DeploymentEnvironment } from "../../configuration/custom-environment";
import type { ReleaseRecord } from "../../release/record";

export interface Deployed {
  /** Where: read from an environment file (`parseEnvironment`), or said in code (`customEnvironment`). */
  readonly environment: DeploymentEnvironment;
  /**
   * What should run. Sequence 0 means that nothing was released yet: then there are no steps. The graph of all other
   * records is the same, only names change.
   */
  readonly record: ReleaseRecord;
}
