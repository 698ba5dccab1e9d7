/** A virtual machine that runs steps. Only its id is needed, so it may be in another stack or another team's. */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { machineFolder } from "../../configuration/azure/azure-names";
import { requireRunName } from "../server";
import type { RunProps, Server } from "../server";
import type { OperatingSystem } from "./machine";
import { requireResourceId } from "./resource-id";
import { runCommand } from "./run-command";
import { SHORT_NAME } from "../../release/patterns";

/** The attributes of an {@link AzureVirtualMachine}. */
export interface AzureVirtualMachineProps {
  /** The server's name in its environment. It is in the steps' Terraform addresses. */
  readonly name: string;
  /** Decides how scripts and parameters reach it. */
  readonly os: OperatingSystem;
  /** The resource id, as in `/subscriptions/.../virtualMachines/vm-shop-prod-web-1`. */
  readonly virtualMachineId: string;
  /** The machine's region, as in "westeurope". Its run commands are in the same region. */
  readonly location: string;
  /**
   * The application's name if several applications share the machine: a-z, 0-9 and -. It becomes part of the steps'
   * names and of the folder, which keeps the applications apart. Never change it: steps would not find what is installed.
   * @default - the machine belongs to one application
   */
  readonly application?: string;
}

/** The same as {@link AzureVirtualMachineProps}: this construct creates no machine. */
export type VirtualMachineAttributes = AzureVirtualMachineProps;

export class AzureVirtualMachine implements Server {
  /**
   * An existing virtual machine. Adds nothing to the stack until something runs on it: each step is an
   * `azurerm_virtual_machine_run_command`, so the pipeline needs permission to create those on the machine, and no other.
   * Give the id as text: with a reference to a machine of the same stack, Terraform would replace that machine as it
   * replaces steps, create before destroy.
   * @throws Error if the id is not that of a virtual machine.
   */
  static fromVirtualMachineAttributes(
    scope: Construct,
    id: string,
    attributes: VirtualMachineAttributes,
  ): AzureVirtualMachine {
    // Reserves the id: a second construct of this name in this scope is a mistake.
    new Construct(scope, id);
    return new AzureVirtualMachine(attributes);
  }

  readonly name: string;
  readonly os: OperatingSystem;
  readonly virtualMachineId: string;

  constructor(private readonly props: AzureVirtualMachineProps) {
    const { name, os, virtualMachineId, application } = props;
    requireResourceId("virtualMachineId", virtualMachineId, "Microsoft.Compute/virtualMachines");
    if (application !== undefined && !SHORT_NAME.test(application)) {
      throw new Error(
        `'application' (${JSON.stringify(application)}) must be an application's name: a-z, 0-9 and -`,
      );
    }
    this.name = name;
    this.os = os;
    this.virtualMachineId = virtualMachineId;
  }

  run(scope: Construct, id: string, props: RunProps): ITerraformDependable {
    const { virtualMachineId, location, application } = this.props;
    const { script, timeoutSeconds, dependsOn, needed = true } = props;
    const name = application === undefined ? props.name : `${application}-${props.name}`;
    requireRunName(name);
    return runCommand(scope, id, {
      name,
      virtualMachineId,
      location,
      os: this.os,
      script,
      parameters: {
        ...props.parameters,
        SERVER_NAME: this.name,
        SERVER_FOLDER: this.folder,
      },
      timeoutSeconds,
      dependsOn,
      needed,
    });
  }

  private get folder(): string {
    const folder = machineFolder(this.os);
    const { application } = this.props;
    if (application === undefined) return folder;
    return `${folder}${this.os === "windows" ? "\\" : "/"}${application}`;
  }
}
