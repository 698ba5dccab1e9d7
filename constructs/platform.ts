/** What the two stacks ask of the place where an application runs. */
import type { TerraformStack } from "cdktf";
import type { BlueGreenDeploymentProps } from "./blue-green-deployment";

export interface Platform {
  /** Adds everything long-lived to the base stack. */
  provision(stack: TerraformStack): void;
  /** The machines that base made, for the web stack to run steps on; nothing of base's state is needed. */
  machines(
    stack: TerraformStack,
  ): Pick<BlueGreenDeploymentProps, "servers" | "proxies" | "installer" | "migrator">;
}
