/** Two applications in one stack, on the same virtual machines: each with its own slots, record and folder. */
import { AzurermProvider } from "@cdktf/provider-azurerm/lib/provider";
import { TerraformStack } from "cdktf";
import { BlueGreenDeployment, linuxInstaller, customEnvironment } from "cdktf-bluegreen";
import type { CustomEnvironment, ReleaseRecord } from "cdktf-bluegreen";
import { AzureVirtualMachine } from "cdktf-bluegreen/constructs/azure";
import { Construct } from "constructs";

const SUBSCRIPTION = "00000000-0000-0000-0000-000000000001";
const MACHINES = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-sites/providers/Microsoft.Compute/virtualMachines`;

/** @param firstPort the first of the slots' two ports. @param publicPort the proxy's port. */
function environmentOf(application: string, firstPort: number, publicPort: number): CustomEnvironment {
  return customEnvironment({
    application,
    name: "production",
    servers: [{ name: "web", host: "10.20.1.11", ports: { blue: firstPort, green: firstPort + 1 } }],
    proxies: [{ name: "proxy", host: "10.20.2.11", port: publicPort }],
    start: ["node", "server.js"],
  });
}

export interface TwoApplicationsStackProps {
  readonly shop: ReleaseRecord;
  readonly blog: ReleaseRecord;
}

export class TwoApplicationsStack extends TerraformStack {
  constructor(scope: Construct, id: string, { shop, blog }: TwoApplicationsStackProps) {
    super(scope, id);
    new AzurermProvider(this, "azurerm", { subscriptionId: SUBSCRIPTION, features: [{}] });
    this.deploy(environmentOf("shop", 8080, 80), shop);
    this.deploy(environmentOf("blog", 8090, 81), blog);
  }

  private deploy(environment: CustomEnvironment, record: ReleaseRecord): void {
    const { application } = environment;
    const parent = new Construct(this, application);
    const machine = (name: string) =>
      AzureVirtualMachine.fromVirtualMachineAttributes(parent, name, {
        name,
        os: "linux",
        location: "westeurope",
        virtualMachineId: `${MACHINES}/vm-${name}`,
        // Both applications use the machine: keeps the names and folders of their steps apart.
        application,
      });
    new BlueGreenDeployment(parent, "release", {
      environment,
      record,
      servers: new Map([["web", machine("web")]]),
      proxies: [machine("proxy")],
      installer: linuxInstaller(),
    });
  }
}
