/** Only the installer: both slots on each server, where somebody else moves the traffic. */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { DeploymentEnvironment } from "../configuration/custom-environment";
import { refuseOtherApplication } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import type { Installer } from "./installer";
import type { Server } from "./server";
import { convergeSteps, installSteps } from "./steps/install-steps";

/** What {@link ReleaseInstallation} installs, and on which servers. */
export interface ReleaseInstallationProps {
  /** Where: read from an environment file (`parseEnvironment`), or said in code (`customEnvironment`). */
  readonly environment: DeploymentEnvironment;
  /** What should run. Sequence 0 means that nothing was released yet: then there are no steps. */
  readonly record: ReleaseRecord;
  /** The web servers by name: each that the environment names. */
  readonly servers: ReadonlyMap<string, Server>;
  readonly installer: Installer;
}

/**
 * The installer's steps alone. Whoever moves the traffic answers for two things: the idle slot gets no request when
 * `install` begins, and the record's active slot gets requests only after it.
 */
export class ReleaseInstallation extends Construct {
  private readonly props: ReleaseInstallationProps;

  /** @throws InvalidInput where the record is another application's. */
  constructor(scope: Construct, id: string, props: ReleaseInstallationProps) {
    super(scope, id);
    this.props = props;
    refuseOtherApplication(props.record, props.environment.application, "the record");
  }

  /** Called once. The steps of a slot that the record does not change are no-ops in the plan. */
  install(dependsOn: ITerraformDependable[] = []): ITerraformDependable[] {
    return this.props.record.sequence === 0 ? [] : installSteps(this, this.props, dependsOn);
  }

  /** Called once: gives the idle slot's servers the active release too, where the record says `converge`. */
  converge(dependsOn: ITerraformDependable[]): ITerraformDependable[] {
    return this.props.record.sequence === 0 ? [] : convergeSteps(this, this.props, dependsOn);
  }
}
