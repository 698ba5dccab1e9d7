/** Existing Azure resources, by id: nothing is created for them, and a wrong id is refused at synth. */
import { AzurermProvider } from "@cdktf/provider-azurerm/lib/provider";
import { App, TerraformStack } from "cdktf";
import { ArtifactStore } from "../../../constructs/azure/artifact-store";
import { AzureInfrastructure } from "../../../constructs/azure/azure-infrastructure";
import { AzureVirtualMachine } from "../../../constructs/azure/azure-virtual-machine";
import { Database } from "../../../constructs/azure/database";
import { LoadBalancer } from "../../../constructs/azure/load-balancer";
import { Machine } from "../../../constructs/azure/machine";
import { MachineSetup } from "../../../constructs/azure/machine-setup";
import { Monitoring } from "../../../constructs/azure/monitoring";
import { Network } from "../../../constructs/azure/network";
import { Patching } from "../../../constructs/azure/patching";
import { PrivateEndpoint } from "../../../constructs/azure/private-endpoint";
import { SecretStore } from "../../../constructs/azure/secret-store";
import { onServerProgram } from "../../../constructs/on-server-program";
import { azureEnvironment } from "../../configuration/azure/examples";
import { attributes, resources } from "../../stacks/azure";
import { readStack, synthesizeApp } from "../../stacks/synthesis";

const GROUP = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-old/providers";
const VM = `${GROUP}/Microsoft.Compute/virtualMachines/vm-old`;
const VNET = `${GROUP}/Microsoft.Network/virtualNetworks/vnet-old`;
const subnet = (name: string) => `${VNET}/subnets/${name}`;
const SUBNETS = {
  web: subnet("web"),
  proxy: subnet("proxy"),
  operations: subnet("operations"),
  endpoints: subnet("endpoints"),
};
const PLACEMENT = { resourceGroupName: "rg-old", location: "westeurope", tags: {} };

function synthesized(build: (stack: TerraformStack) => void) {
  const outdir = synthesizeApp((app) => {
    const stack = new TerraformStack(app, "own");
    new AzurermProvider(stack, "azurerm", { features: [{}] });
    build(stack);
  });
  return readStack(outdir, "own");
}

test("nothing that is there already adds anything to the stack", () => {
  const { addresses } = synthesized((stack) => {
    const script = onServerProgram("azure/setup-web-server.sh");
    Network.fromNetworkAttributes(stack, "network", { virtualNetworkId: VNET, subnetIds: SUBNETS });
    AzureVirtualMachine.fromVirtualMachineAttributes(stack, "vm", {
      ...{ name: "vm", os: "linux", location: "westeurope", virtualMachineId: VM },
    });
    Machine.fromMachineAttributes(stack, "machine", { virtualMachineId: VM, os: "linux" });
    LoadBalancer.fromLoadBalancerAttributes(stack, "balancer", {
      ...{ loadBalancerId: `${GROUP}/Microsoft.Network/loadBalancers/lb`, publicAddress: "203.0.113.4" },
    });
    const storageAccountId = `${GROUP}/Microsoft.Storage/storageAccounts/stold`;
    ArtifactStore.fromArtifactStoreAttributes(stack, "artifacts", { storageAccountId });
    SecretStore.fromSecretStoreAttributes(stack, "secrets", {
      keyVaultId: `${GROUP}/Microsoft.KeyVault/vaults/kv-old`,
    });
    expect(script).toContain("setup-web-server");
  });
  expect(addresses).toEqual([]);
});

test("an environment in an existing network: its machines are in those subnets, and no rule or subnet is created", () => {
  const environment = azureEnvironment();
  const stack = synthesized((own) => {
    const network = Network.fromNetworkAttributes(own, "network", {
      virtualNetworkId: VNET,
      subnetIds: SUBNETS,
    });
    new AzureInfrastructure(own, "Default", { environment, network });
  });
  const types = Object.keys(stack.json.resource ?? {});
  expect(types.filter((type) => /subnet|security|nat_gateway|^azurerm_virtual_network$/.test(type))).toEqual(
    [],
  );
  const used = Object.values(resources(stack, "network_interface")).flatMap((nic) =>
    attributes(nic).filter(({ key }) => key === "subnet_id"),
  );
  expect(new Set(used.map(({ value }) => value))).toEqual(
    new Set([SUBNETS.web, SUBNETS.proxy, SUBNETS.operations]),
  );
  const [link] = Object.values(resources(stack, "private_dns_zone_virtual_network_link"));
  expect(link).toMatchObject({ virtual_network_id: VNET });
});

test("an existing machine is set up, watched and patched; an existing database gets its address inside the network", () => {
  const stack = synthesized((own) => {
    const machine = Machine.fromMachineAttributes(own, "old", {
      virtualMachineId: VM,
      os: "linux",
      generation: "second",
    });
    new MachineSetup(own, "setup", {
      ...{ serverName: "old", machine, location: "westeurope", parameters: {}, dependsOn: [] },
      script: onServerProgram("azure/setup-web-server.sh"),
    });
    const monitoring = new Monitoring(own, "monitoring", {
      ...PLACEMENT,
      ...{ name: "own", emails: [], retentionDays: 30 },
    });
    monitoring.watchMachine("old", machine, "/identity");
    new Patching(own, "patching", {
      ...PLACEMENT,
      ...{ name: "own", days: ["Monday", "Tuesday"], start: "02:00", timeZone: "UTC" },
    }).assign("old", machine, 0);
    const database = Database.fromDatabaseAttributes(own, "database", {
      databaseId: `${GROUP}/Microsoft.Sql/servers/sql-old/databases/shop`,
    });
    new PrivateEndpoint(own, "endpoint", {
      ...PLACEMENT,
      ...{ name: "own", service: "sqlServer", resourceId: database.serverId },
      ...{ subnetId: SUBNETS.endpoints, virtualNetworkId: VNET },
    });
  });
  const [command] = Object.values(resources(stack, "virtual_machine_run_command"));
  expect(command).toMatchObject({ virtual_machine_id: VM, name: expect.stringMatching(/^setup-.*-second$/) });
  expect(Object.values(resources(stack, "maintenance_assignment_virtual_machine"))).toMatchObject([
    { virtual_machine_id: VM },
  ]);
  expect(Object.values(resources(stack, "private_endpoint"))).toMatchObject([
    {
      private_service_connection: {
        private_connection_resource_id: `${GROUP}/Microsoft.Sql/servers/sql-old`,
      },
    },
  ]);
});

describe("refused at synth", () => {
  const stack = () => new TerraformStack(new App({ outdir: "/nowhere" }), "own");
  const machine = { name: "vm", os: "linux", location: "westeurope", virtualMachineId: VM } as const;

  test.each([
    ["a disk's id", `${GROUP}/Microsoft.Compute/disks/disk`],
    ["a name", "vm-old"],
    ["an id with more behind it", `${VM}/extensions/x`],
  ])("%s as a machine's", (_, virtualMachineId) => {
    expect(() =>
      AzureVirtualMachine.fromVirtualMachineAttributes(stack(), "vm", { ...machine, virtualMachineId }),
    ).toThrow(/'virtualMachineId' \(".*"\) must be the id of a resource of type Microsoft.Compute/);
  });

  test("a network whose subnet is none", () => {
    const subnetIds = { ...SUBNETS, proxy: VNET };
    expect(() =>
      Network.fromNetworkAttributes(stack(), "network", { virtualNetworkId: VNET, subnetIds }),
    ).toThrow(/'subnetIds\.proxy'/);
  });

  test("a database by reference: its server is read from the id", () => {
    expect(() =>
      Database.fromDatabaseAttributes(stack(), "database", { databaseId: "${azurerm_mssql_database.x.id}" }),
    ).toThrow(/'databaseId'/);
  });

  test("two of one name in one scope", () => {
    const own = stack();
    AzureVirtualMachine.fromVirtualMachineAttributes(own, "vm", machine);
    expect(() => AzureVirtualMachine.fromVirtualMachineAttributes(own, "vm", machine)).toThrow(
      /already a Construct with name 'vm'/,
    );
  });
});
