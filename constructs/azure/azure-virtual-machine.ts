/** A virtual machine that runs steps. Known by its id alone, so it may be in another stack, or somebody else's. */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { machineFolder } from "../../configuration/azure/azure-names";
import { requireRunName } from "../server";
import type { RunProps, Server } from "../server";
import type { OperatingSystem } from "./machine";
import { requireResourceId } from "./resource-id";
import { runCommand } from "./run-command";
import { SHORT_NAME } from "../../release/patterns";

/** What {@link AzureVirtualMachine} is known by. */
export interface AzureVirtualMachineProps {
  /** The server's name in its environment. It is in the steps' Terraform addresses. */
  readonly name: string;
  /** Decides how scripts and parameters reach it. */
  readonly os: OperatingSystem;
  /** The resource id, as in `/subscriptions/.../virtualMachines/vm-shop-prod-web-1`. */
  readonly virtualMachineId: string;
  /** The machine's region, as in "westeurope": a run command is in the same. */
  readonly location: string;
  /**
   * Where several applications share a machine: theirs, a-z, 0-9 and -. The names of the steps and the folder carry it,
   * so that they do not meet. It never changes: what was installed would be looked for elsewhere.
   * @default - the machine is one application's
   */
  readonly application?: string;
}

/** See {@link AzureVirtualMachineProps}: a machine is known by what is said of it. */
export type VirtualMachineAttributes = AzureVirtualMachineProps;

export class AzureVirtualMachine implements Server {
  /**
   * A virtual machine that is there already. Adds nothing to the stack until something runs on it: each step is an
   * `azurerm_virtual_machine_run_command`, so the pipeline needs the right to make those on the machine, and no other.
   * Give the id as text: a reference to a machine of the same stack would have Terraform make that machine's successor
   * before it removes the machine, as it does with the steps.
   * @throws Error where the id is no virtual machine's.
   */
  static fromVirtualMachineAttributes(
    scope: Construct,
    id: string,
    attributes: VirtualMachineAttributes,
  ): AzureVirtualMachine {
    // Takes the id, as an imported resource does: two of one name in one scope are somebody's mistake.
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
