/** What the two stacks need from a platform. */
import type { TerraformStack } from "cdktf";
import type { BlueGreenDeploymentProps } from "./blue-green-deployment";

export interface Platform {
  /** Adds everything long-lived to the base stack. */
  provision(stack: TerraformStack): void;
  /** The machines of base on which the web stack runs steps. It needs nothing from base's state. */
  machines(
    stack: TerraformStack,
  ): Pick<BlueGreenDeploymentProps, "servers" | "proxies" | "installer" | "migrator">;
}
