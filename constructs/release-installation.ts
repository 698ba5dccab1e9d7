/** Only the installer: both slots on each server. Another program moves the traffic. */
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
  /** The environment: from a file (`parseEnvironment`), or defined in code (`customEnvironment`). */
  readonly environment: DeploymentEnvironment;
  /** What should run. Sequence 0 means that nothing was released yet: there are no steps. */
  readonly record: ReleaseRecord;
  /** The web servers by name: all servers of the environment. */
  readonly servers: ReadonlyMap<string, Server>;
  readonly installer: Installer;
}

/**
 * The installer's steps alone. The program that moves the traffic must ensure two things: the idle slot gets no requests
 * when `install` begins, and the record's active slot gets requests only after it.
 */
export class ReleaseInstallation extends Construct {
  private readonly props: ReleaseInstallationProps;

  /** @throws InvalidInput if the record belongs to another application. */
  constructor(scope: Construct, id: string, props: ReleaseInstallationProps) {
    super(scope, id);
    this.props = props;
    refuseOtherApplication(props.record, props.environment.application, "the record");
  }

  /** Call it once. The steps of a slot that the record does not change are no-ops in the plan. */
  install(dependsOn: ITerraformDependable[] = []): ITerraformDependable[] {
    return this.props.record.sequence === 0 ? [] : installSteps(this, this.props, dependsOn);
  }

  /** Call it once. If the record has `converge`, installs the active release on the idle slot's servers too. */
  converge(dependsOn: ITerraformDependable[]): ITerraformDependable[] {
    return this.props.record.sequence === 0 ? [] : convergeSteps(this, this.props, dependsOn);
  }
}
