/** A virtual machine that runs steps. Known by its id alone, so it may be in another stack, or somebody else's. */
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { machineFolder } from "../../release/azure/azure-names";
import { requireRunName } from "../server";
import type { RunProps, Server } from "../server";
import type { OperatingSystem } from "./machine";
import { runCommand } from "./run-command";

export interface AzureVirtualMachineProps {
  readonly name: string;
  readonly os: OperatingSystem;
  /** The resource id, as in `/subscriptions/.../virtualMachines/vm-shop-prod-web-1`. */
  readonly virtualMachineId: string;
  readonly location: string;
}

export class AzureVirtualMachine implements Server {
  readonly name: string;
  readonly os: OperatingSystem;

  constructor(private readonly props: AzureVirtualMachineProps) {
    this.name = props.name;
    this.os = props.os;
  }

  run(scope: Construct, id: string, props: RunProps): ITerraformDependable {
    requireRunName(props.name);
    const { virtualMachineId, location } = this.props;
    const { name, script, timeoutSeconds, dependsOn, needed = true } = props;
    return runCommand(scope, id, {
      name,
      virtualMachineId,
      location,
      os: this.os,
      script,
      parameters: {
        ...props.parameters,
        SERVER_NAME: this.name,
        SERVER_FOLDER: machineFolder(this.os),
      },
      timeoutSeconds,
      dependsOn,
      needed,
    });
  }
}
