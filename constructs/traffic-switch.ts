/**
 * Only the director: the gate before an install and the switch after it, where somebody else installs. Between the two
 * come your own steps: they depend on what `begin` returns, and `switch` depends on them.
 */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { DeploymentEnvironment } from "../configuration/custom-environment";
import { refuseOtherApplication } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { InvalidInput } from "../release/failure";
import { refuseOtherProxies } from "./blue-green-deployment";
import type { Server } from "./server";
import { beginSteps, shareSteps, switchSteps } from "./steps/director-steps";

/** What {@link TrafficSwitch} shifts, and on which proxies. */
export interface TrafficSwitchProps {
  /** Where: read from an environment file (`parseEnvironment`), or said in code (`customEnvironment`). */
  readonly environment: DeploymentEnvironment;
  /** What should run. Sequence 0 means that nothing was released yet: then there are no steps. */
  readonly record: ReleaseRecord;
  /** The proxies in the order of the traffic shift, as many as the environment has: the first carries the schedule. */
  readonly proxies: readonly Server[];
}

/**
 * The director's steps alone. Each of its methods is called once; the environment's hooks belong to
 * `BlueGreenDeployment` and are not run.
 */
export class TrafficSwitch extends Construct {
  private readonly props: TrafficSwitchProps;

  /** @throws InvalidInput where record, environment and proxies do not fit together, or the environment has hooks. */
  constructor(scope: Construct, id: string, props: TrafficSwitchProps) {
    super(scope, id);
    this.props = props;
    refuseOtherApplication(props.record, props.environment.application, "the record");
    refuseOtherProxies(props.environment, props.proxies);
    if ((props.environment.hooks ?? []).length > 0) {
      throw new InvalidInput(
        "hooks are run by a BlueGreenDeployment; with a TrafficSwitch your own steps stand between begin and switch: leave them out",
      );
    }
  }

  /**
   * Compares the record with what users get and takes the idle slot out of rotation, drained. Whatever changes the idle
   * slot comes after this; without it a stale record would install over what is live.
   */
  begin(dependsOn: ITerraformDependable[] = []): ITerraformDependable[] {
    return this.ifReleased(() => beginSteps(this, this.props, dependsOn));
  }

  /**
   * Verifies every endpoint of the candidate, moves the traffic, watches it, and takes it back if it misbehaves.
   * @param installed what must be done by then: at least what `begin` returned.
   */
  switch(installed: ITerraformDependable[]): ITerraformDependable[] {
    return this.ifReleased(() => switchSteps(this, this.props, installed));
  }

  /** Where both slots serve the active release by now (the schedule's `converge`): gives the other slot its share. */
  share(converged: ITerraformDependable[]): ITerraformDependable[] {
    return this.ifReleased(() => shareSteps(this, this.props, converged));
  }

  private ifReleased(steps: () => ITerraformDependable[]): ITerraformDependable[] {
    return this.props.record.sequence === 0 ? [] : steps();
  }
}
