/**
 * Only the director: the check before an install and the traffic switch after it. Your steps install in between: they
 * depend on what `begin` returns, and `switch` depends on them.
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
  /** The environment: from a file (`parseEnvironment`), or defined in code (`customEnvironment`). */
  readonly environment: DeploymentEnvironment;
  /** What should run. Sequence 0 means that nothing was released yet: there are no steps. */
  readonly record: ReleaseRecord;
  /** All proxies of the environment, in the order of the traffic shift: the first runs the schedule. */
  readonly proxies: readonly Server[];
}

/**
 * The director's steps alone. Call each method once. An environment with hooks is refused: only `BlueGreenDeployment` runs
 * them.
 */
export class TrafficSwitch extends Construct {
  private readonly props: TrafficSwitchProps;

  /** @throws InvalidInput if record, environment and proxies do not match, or if the environment has hooks. */
  constructor(scope: Construct, id: string, props: TrafficSwitchProps) {
    super(scope, id);
    this.props = props;
    refuseOtherApplication(props.record, props.environment.application, "the record");
    refuseOtherProxies(props.environment, props.proxies);
    if ((props.environment.hooks ?? []).length > 0) {
      throw new InvalidInput(
        "only BlueGreenDeployment runs hooks: remove them, and add your own steps between the TrafficSwitch's begin and switch",
      );
    }
  }

  /**
   * Compares the record with what users get, drains the idle slot and takes it out of rotation. Change the idle slot only
   * after this step: without it a stale record could install over the live release.
   */
  begin(dependsOn: ITerraformDependable[] = []): ITerraformDependable[] {
    return this.ifReleased(() => beginSteps(this, this.props, dependsOn));
  }

  /**
   * Verifies every endpoint of the candidate, moves the traffic, watches the candidate, and rolls back if it misbehaves.
   * @param installed what must run before: at least what `begin` returned.
   */
  switch(installed: ITerraformDependable[]): ITerraformDependable[] {
    return this.ifReleased(() => switchSteps(this, this.props, installed));
  }

  /** After the schedule's `converge`, when both slots serve the active release: both slots share the traffic. */
  share(converged: ITerraformDependable[]): ITerraformDependable[] {
    return this.ifReleased(() => shareSteps(this, this.props, converged));
  }

  private ifReleased(steps: () => ITerraformDependable[]): ITerraformDependable[] {
    return this.props.record.sequence === 0 ? [] : steps();
  }
}
