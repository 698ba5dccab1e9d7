/**
 * A virtual machine with a static private address, an identity and no public address. A release changes nothing here.
 * Many of these settings replace the machine when they change: see docs/azure.md.
 */
import { LinuxVirtualMachine } from "@cdktf/provider-azurerm/lib/linux-virtual-machine";
import { NetworkInterface } from "@cdktf/provider-azurerm/lib/network-interface";
import { WindowsVirtualMachine } from "@cdktf/provider-azurerm/lib/windows-virtual-machine";
import { Fn } from "cdktf";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { Image } from "../../configuration/azure/azure-platform";
import { TerraformData } from "../terraform-data";
import { requireResourceId } from "./resource-id";
import type { Placement } from "./placement";

/** Decides the image, and how scripts reach the machine. */
export type OperatingSystem = "windows" | "linux";

/** What {@link Machine} is made of. */
export interface MachineProps extends Placement {
  /** The server's name, which is also its host name: at most 15 characters. */
  readonly name: string;
  /** The virtual machine's name in Azure. */
  readonly virtualMachineName: string;
  readonly os: OperatingSystem;
  readonly size: string;
  readonly image?: Image;
  readonly zone?: string;
  readonly subnetId: string;
  readonly privateAddress: string;
  readonly identityId: string;
  readonly administrator: string;
  /** Linux: the key that may log in through Bastion. There is no password. */
  readonly sshPublicKey: string;
  readonly dependsOn: ITerraformDependable[];
}

export const IP_CONFIGURATION = "primary";

const IMAGES: Record<OperatingSystem, Image> = {
  windows: {
    publisher: "MicrosoftWindowsServer",
    offer: "WindowsServer",
    sku: "2022-datacenter-azure-edition",
    version: "latest",
  },
  linux: { publisher: "Canonical", offer: "ubuntu-24_04-lts", sku: "server", version: "latest" },
};

/** A virtual machine: created by this stack, or existing. */
export interface IMachine {
  /** The resource id. */
  readonly id: string;
  readonly os: OperatingSystem;
  /** Part of the names of the set-up steps. It differs for each machine that ever had this id. */
  readonly generation: string;
}

/** An existing virtual machine. */
export interface MachineAttributes {
  /** The resource id, as in `/subscriptions/.../virtualMachines/vm-shop-prod-web-1`. */
  readonly virtualMachineId: string;
  readonly os: OperatingSystem;
  /**
   * Change it when the machine is replaced under the same id, to set it up again. 1 to 20 characters of a-z, 0-9 and -.
   * @default "existing"
   */
  readonly generation?: string;
}

/** A virtual machine that this stack creates. For an existing one: `Machine.fromMachineAttributes`. */
export class Machine extends Construct implements IMachine {
  /** An existing machine, for `MachineSetup`, `Monitoring` and `Patching`. Adds nothing to the stack. */
  static fromMachineAttributes(scope: Construct, id: string, attributes: MachineAttributes): IMachine {
    const { virtualMachineId, os, generation = "existing" } = attributes;
    requireResourceId("virtualMachineId", virtualMachineId, "Microsoft.Compute/virtualMachines");
    if (!/^[a-z0-9-]{1,20}$/.test(generation)) {
      throw new Error(
        `'generation' (${JSON.stringify(generation)}) must be 1 to 20 characters of a-z, 0-9 and -`,
      );
    }
    return Object.assign(new Construct(scope, id), { id: virtualMachineId, os, generation });
  }

  readonly id: string;
  readonly os: OperatingSystem;
  readonly networkInterfaceId: string;
  /** Eight characters that differ for each machine that ever had this id. */
  readonly generation: string;

  constructor(scope: Construct, id: string, props: MachineProps) {
    super(scope, id);
    const { resourceGroupName, location, tags, name, os } = props;
    const placement = { resourceGroupName, location, tags };
    this.os = os;
    const networkInterface = new NetworkInterface(this, "nic", {
      ...placement,
      name: `nic-${props.virtualMachineName}`,
      ipConfiguration: [
        {
          name: IP_CONFIGURATION,
          subnetId: props.subnetId,
          privateIpAddressAllocation: "Static",
          privateIpAddress: props.privateAddress,
        },
      ],
    });
    this.networkInterfaceId = networkInterface.id;

    const common = {
      ...placement,
      name: props.virtualMachineName,
      computerName: name,
      size: props.size,
      ...(props.zone === undefined ? {} : { zone: props.zone }),
      networkInterfaceIds: [networkInterface.id],
      adminUsername: props.administrator,
      osDisk: {
        name: `osdisk-${props.virtualMachineName}`,
        caching: "ReadWrite",
        storageAccountType: os === "windows" ? "Premium_LRS" : "StandardSSD_LRS",
      },
      sourceImageReference: props.image ?? IMAGES[os],
      secureBootEnabled: true,
      vtpmEnabled: true,
      encryptionAtHostEnabled: true,
      provisionVmAgent: true,
      allowExtensionOperations: true,
      // Updates run in the maintenance window of this machine's half: see Patching.
      patchMode: "AutomaticByPlatform",
      patchAssessmentMode: "AutomaticByPlatform",
      bypassPlatformSafetyChecksOnUserScheduleEnabled: true,
      rebootSetting: "IfRequired",
      identity: { type: "UserAssigned", identityIds: [props.identityId] },
      bootDiagnostics: {},
      dependsOn: props.dependsOn,
    };
    const machine =
      os === "windows"
        ? new WindowsVirtualMachine(this, "Resource", {
            ...common,
            automaticUpdatesEnabled: true,
            // A random text from Terraform. Set-up replaces the password at once, so the one in the state is useless.
            adminPassword: "${uuid()}-Aa1!",
            lifecycle: { ignoreChanges: ["admin_password"] },
          })
        : new LinuxVirtualMachine(this, "Resource", {
            ...common,
            disablePasswordAuthentication: true,
            adminSshKey: [{ username: props.administrator, publicKey: props.sshPublicKey }],
          });
    this.id = machine.id;
    // For Terraform, the id changes if and only if the machine is replaced.
    const generation = new TerraformData(this, "generation", { triggersReplace: machine.id });
    this.generation = Fn.substr(generation.getStringAttribute("id"), 0, 8);
  }
}
