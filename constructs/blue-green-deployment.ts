/**
 * Which slot gets the new artifact, and the steps around it. The graph is the same for every record. Only the steps'
 * names change, and a changed name runs a step:
 *
 *   check (each server, if its installer has one)
 *                      -> begin (each proxy) -> migrate (if the release has scripts) -> install blue, install green (each server) -> switch (proxy after proxy)
 *                      -> converge blue + converge green (each server) -> share (each proxy)
 *
 * The environment's hooks run between these steps: a phase waits for the hooks before it; nothing waits for those after
 * it.
 *
 * The live slot's install steps are no-ops in every plan, which proves that a release does not touch it. A heal runs
 * the install steps of the healed servers only.
 */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { hooksAt, refuseHooksInRecreate } from "../release/hooks";
import type { StepKind, When } from "../release/hooks";
import { proxyPlaces, refuseUnknownMachines } from "../configuration/naming";
import type { DeploymentEnvironment } from "../configuration/custom-environment";
import { healedServers, refuseOtherApplication, scheduleOf, target } from "../release/record";
import type { ReleaseRecord } from "../release/record";
import { InvalidInput } from "../release/failure";
import { hookStep } from "./hook-step";
import type { Installer } from "./installer";
import type { Migrator } from "./migrator";
import type { Server } from "./server";
import { beginSteps, shareSteps, switchSteps } from "./steps/director-steps";
import { checkSteps } from "./steps/check-steps";
import { convergeSteps, installSteps } from "./steps/install-steps";
import { migrateStep } from "./steps/migrate-step";

/** What {@link BlueGreenDeployment} deploys, and where its steps run. */
export interface BlueGreenDeploymentProps {
  /** The environment: from a file (`parseEnvironment`), or defined in code (`customEnvironment`). */
  readonly environment: DeploymentEnvironment;
  /**
   * What should run. Sequence 0 means that nothing was released yet: there are no steps. A record of another application
   * is refused.
   */
  readonly record: ReleaseRecord;
  /** The web servers by name. A missing server of the environment is refused. */
  readonly servers: ReadonlyMap<string, Server>;
  /** All proxies of the environment, in the order of the traffic shift: the first runs the schedule. */
  readonly proxies: readonly Server[];
  /** Installs a release into a slot of a server: `linuxInstaller()`, or a custom installer. */
  readonly installer: Installer;
  /**
   * Applies the migrations that a release needs. @default - none: a record whose release has migrations is refused
   */
  readonly migrator?: Migrator;
}

/**
 * Deploys releases to long-lived servers. The apply succeeds if and only if users get what the record's goal requires.
 * Otherwise it fails, and stable has the traffic.
 *
 * Keep it in a stack separate from the machines': its steps use create before destroy, which Terraform would extend to
 * everything that they refer to. It contains commands only, so destroying it stops nothing.
 */
export class BlueGreenDeployment extends Construct {
  private readonly props: BlueGreenDeploymentProps;

  /**
   * @throws InvalidInput if record, environment, servers and proxies do not match, or if the record's release has
   * migrations and there is no migrator.
   */
  constructor(scope: Construct, id: string, props: BlueGreenDeploymentProps) {
    super(scope, id);
    this.props = props;
    const { environment, record } = props;
    refuseOtherApplication(record, environment.application, "the record");
    refuseUnknownMachines(
      [...healedServers(record), ...(record.leftOut ?? []), ...(record.catchUp?.proxies ?? [])],
      environment,
    );
    refuseOtherProxies(environment, props.proxies);
    if (record.sequence === 0) return;

    refuseHooksInRecreate(environment, scheduleOf(record, environment));

    const checked = checkSteps(this, props);
    const begun = this.phase("begin", checked, (after) => beginSteps(this, props, after));
    const migrated = this.phase("migrate", begun, (after) => this.migrate(after));
    const installed = this.phase("install", [...begun, ...migrated], (after) =>
      installSteps(this, props, after),
    );
    const switched = this.phase("switch", [...migrated, ...installed], (after) =>
      switchSteps(this, props, after),
    );
    const converged = this.phase("converge", switched, (after) => convergeSteps(this, props, after));
    this.phase("share", converged, (after) => shareSteps(this, props, after));
  }

  /** @returns the phase's steps, without its hooks: nothing waits for those after a phase. */
  private phase(
    phase: StepKind,
    before: ITerraformDependable[],
    addSteps: (dependsOn: ITerraformDependable[]) => ITerraformDependable[],
  ): ITerraformDependable[] {
    const steps = addSteps([...before, ...this.hooks(`before ${phase}`, before)]);
    this.hooks(`after ${phase}`, steps);
    return steps;
  }

  /** One after another, in the order of the environment file. */
  private hooks(when: When, dependsOn: ITerraformDependable[]): ITerraformDependable[] {
    const { environment, record } = this.props;
    return hooksAt(environment, when).reduce<ITerraformDependable[]>((before, hook) => {
      return [...before, hookStep(this, { hook, environment, record, dependsOn: [...dependsOn, ...before] })];
    }, []);
  }

  private migrate(dependsOn: ITerraformDependable[]): ITerraformDependable[] {
    const { record, migrator } = this.props;
    if (migrator !== undefined) return [migrateStep(this, record, migrator, dependsOn)];
    if (target(record)?.migrations === undefined) return [];
    throw new InvalidInput("the release carries migrations, and the environment has no platform.database");
  }
}

/** @throws InvalidInput if a proxy would get the configuration of another one. */
export function refuseOtherProxies(environment: DeploymentEnvironment, proxies: readonly Server[]): void {
  const named = proxyPlaces(environment).map(({ name }) => name);
  const given = proxies.map(({ name }) => name);
  if (given.join() !== named.join()) {
    throw new InvalidInput(
      `'proxies' are ${given.join(", ") || "none"}, the environment names ${named.join(", ")}: give these, in this order`,
    );
  }
}
