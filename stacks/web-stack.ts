/**
 * The web stack: one release. It holds nothing but commands that run on the servers of the base stack, so it
 * cannot destroy infrastructure; and it is a pure function of the environment and the record.
 */
import { TerraformStack } from "cdktf";
import type { Construct } from "constructs";
import { BlueGreenDeployment } from "../constructs/blue-green-deployment";
import type { Environment } from "../configuration/environment";
import type { ReleaseRecord } from "../release/record";
import { useBackend } from "./backend";
import { platformOf } from "./platforms";

/** What {@link WebStack} is made of. */
export interface WebStackProps {
  readonly environment: Environment;
  readonly record: ReleaseRecord;
}

/** One release: every step of `BlueGreenDeployment`, on the machines of the environment's platform. */
export class WebStack extends TerraformStack {
  constructor(scope: Construct, id: string, { environment, record }: WebStackProps) {
    super(scope, id);
    useBackend(this, environment);
    const machines = platformOf(environment).machines(this);
    // "Default" leaves no trace in the steps' addresses.
    new BlueGreenDeployment(this, "Default", { environment, record, ...machines });
  }
}
