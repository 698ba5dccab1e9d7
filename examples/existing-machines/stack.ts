/** Releases onto existing virtual machines, by their resource ids. The machines themselves stay unchanged. */
import { AzurermProvider } from "@cdktf/provider-azurerm/lib/provider";
import { TerraformStack } from "cdktf";
import { BlueGreenDeployment, linuxInstaller, customEnvironment } from "cdktf-bluegreen";
import type { ReleaseRecord } from "cdktf-bluegreen";
import { AzureVirtualMachine } from "cdktf-bluegreen/constructs/azure";
import type { Construct } from "constructs";

const SUBSCRIPTION = "00000000-0000-0000-0000-000000000001";
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-shop/providers`;
const WEB = ["app-01", "app-02"] as const;
const PROXY = "lb-01";

/** One slot per server: a release goes to the idle one. */
const environment = customEnvironment({
  application: "shop",
  name: "production",
  servers: [
    { name: "app-01", host: "10.20.1.11", ports: { blue: 8080 } },
    { name: "app-02", host: "10.20.1.12", ports: { green: 8080 } },
  ],
  proxies: [{ name: PROXY, host: "10.20.2.11", port: 80 }],
  start: ["node", "server.js"],
  verification: { path: "/health", host: "shop.example.com" },
  schedule: { strategy: "canary", steps: [10, 50, 100], stepSeconds: 120 },
});

export interface ExistingMachinesStackProps {
  readonly record: ReleaseRecord;
}

export class ExistingMachinesStack extends TerraformStack {
  constructor(scope: Construct, id: string, { record }: ExistingMachinesStackProps) {
    super(scope, id);
    new AzurermProvider(this, "azurerm", { subscriptionId: SUBSCRIPTION, features: [{}] });
    const machine = (name: string) =>
      AzureVirtualMachine.fromVirtualMachineAttributes(this, name, {
        name,
        os: "linux",
        location: "westeurope",
        virtualMachineId: `${GROUP}/Microsoft.Compute/virtualMachines/vm-${name}`,
      });
    new BlueGreenDeployment(this, "shop", {
      environment,
      record,
      servers: new Map(WEB.map((name) => [name, machine(name)])),
      proxies: [machine(PROXY)],
      installer: linuxInstaller({
        artifactHost: "stshop.blob.core.windows.net",
        identity: `${GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/id-shop-web`,
        patienceSeconds: 300,
      }),
    });
  }
}
