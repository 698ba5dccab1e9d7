/** The base stack: everything long-lived. Provisioned once. Releases don't change it; destroying it stops everything. */
import { TerraformStack } from "cdktf";
import type { Construct } from "constructs";
import type { Environment } from "../configuration/environment";
import { useBackend } from "./backend";
import { platformOf } from "./platforms";

/** Properties of {@link BaseStack}. */
export interface BaseStackProps {
  readonly environment: Environment;
}

export class BaseStack extends TerraformStack {
  constructor(scope: Construct, id: string, { environment }: BaseStackProps) {
    super(scope, id);
    useBackend(this, environment);
    platformOf(environment).provision(this);
  }
}
