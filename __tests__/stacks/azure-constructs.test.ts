/** Each construct of the Azure platform alone, in a user's stack, with plain values. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AzurermProvider } from "@cdktf/provider-azurerm/lib/provider";
import { TerraformStack } from "cdktf";
import { ArtifactStore } from "../../constructs/azure/artifact-store";
import { AzureInfrastructure } from "../../constructs/azure/azure-infrastructure";
import { AzureVirtualMachine } from "../../constructs/azure/azure-virtual-machine";
import { Database } from "../../constructs/azure/database";
import { LoadBalancer } from "../../constructs/azure/load-balancer";
import { MachineSetup } from "../../constructs/azure/machine-setup";
import { Machine } from "../../constructs/azure/machine";
import { Monitoring } from "../../constructs/azure/monitoring";
import { Network } from "../../constructs/azure/network";
import { Patching } from "../../constructs/azure/patching";
import { PrivateEndpoint } from "../../constructs/azure/private-endpoint";
import { runCommand } from "../../constructs/azure/run-command";
import { SecretStore } from "../../constructs/azure/secret-store";
import { BlueGreenDeployment } from "../../constructs/blue-green-deployment";
import { proxyPlaces, serverPlaces } from "../../configuration/naming";
import { azureEnvironment } from "../configuration/azure/examples";
import { recordOf } from "../release/examples";
import { readStack, synthesizeApp } from "./synthesis";
import type { SynthesizedStack } from "./synthesis";

const GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/theirs/providers";
const PLACEMENT = { resourceGroupName: "theirs", location: "northeurope", tags: { team: "theirs" } };
const NETWORK = `${GROUP}/Microsoft.Network/virtualNetworks/theirs`;

/** Theirs, with a script of theirs. */
function stackWith(build: (stack: TerraformStack, script: (name: string, text: string) => string) => void) {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-theirs-"));
  const script = (name: string, text: string): string => {
    const file = join(mkdtempSync(join(folder, "scripts-")), name);
    writeFileSync(file, text);
    return file;
  };
  const outdir = synthesizeApp((app) => {
    const stack = new TerraformStack(app, "theirs");
    new AzurermProvider(stack, "azurerm", { features: [{}] });
    build(stack, script);
  });
  return readStack(outdir, "theirs");
}

function count(stack: SynthesizedStack): Record<string, number> {
  return Object.fromEntries(
    Object.entries(stack.json.resource ?? {}).map(([type, blocks]) => [
      type.replace("azurerm_", ""),
      Object.keys(blocks).length,
    ]),
  );
}

function machine(stack: TerraformStack, os: "linux" | "windows", id = "machine"): Machine {
  return new Machine(stack, id, {
    ...PLACEMENT,
    name: id,
    virtualMachineName: `vm-${id}`,
    os,
    size: "Standard_D2as_v5",
    subnetId: `${NETWORK}/subnets/machines`,
    privateAddress: "10.0.0.4",
    identityId: `${GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/theirs`,
    administrator: "somebody",
    sshPublicKey: "ssh-ed25519 AAAA",
    dependsOn: [],
  });
}

test("an artifact store", () => {
  const stack = stackWith((stack) => {
    new ArtifactStore(stack, "artifacts", {
      ...PLACEMENT,
      accountName: "sttheirs",
      containerName: "builds",
      readers: new Map([["fleet", "11111111-0000-0000-0000-000000000000"]]),
      publishers: ["22222222-0000-0000-0000-000000000000"],
      retentionDays: 7,
      protect: true,
    });
  });
  expect(count(stack)).toEqual({
    storage_account: 1,
    storage_container: 1,
    role_assignment: 2,
    management_lock: 1,
  });
});

test("a database", () => {
  const stack = stackWith((stack) => {
    new Database(stack, "database", {
      ...PLACEMENT,
      serverName: "sql-theirs",
      databaseName: "theirs",
      tenantId: "33333333-0000-0000-0000-000000000000",
      settings: azureEnvironment({
        database: { administrators: { group: "g", objectId: "44444444-0000-0000-0000-000000000000" } },
      }).platform.database!,
      protect: false,
    });
  });
  expect(count(stack)).toEqual({
    mssql_server: 1,
    mssql_database: 1,
    mssql_server_security_alert_policy: 1,
  });
});

test("a load balancer", () => {
  const stack = stackWith((stack) => {
    const { publicAddress } = new LoadBalancer(stack, "entrance", {
      ...PLACEMENT,
      name: "theirs",
      ports: [80, 443],
      probePath: "/alive",
      proxies: new Map([["one", `${GROUP}/Microsoft.Network/networkInterfaces/one`]]),
      domainLabel: "theirs",
    });
    expect(publicAddress).toMatch(/\$\{TfToken/);
  });
  expect(count(stack)).toMatchObject({ public_ip: 1, lb: 1, lb_probe: 1, lb_rule: 2 });
  expect(stack.text).toContain('"domain_name_label": "theirs"');
});

test.each(["linux", "windows"] as const)(
  "a machine with its own set-up, patching and monitoring: %s",
  (os) => {
    const stack = stackWith((stack, script) => {
      const theirs = machine(stack, os);
      new MachineSetup(stack, "set-up", {
        serverName: "machine",
        machine: theirs,
        location: "northeurope",
        script: script(os === "windows" ? "set-up.ps1" : "set-up.sh", "exit 0\n"),
        parameters: { COLOR: "blue" },
        dependsOn: [],
      });
      const patching = new Patching(stack, "patching", {
        ...PLACEMENT,
        name: "theirs",
        days: ["Monday", "Friday"],
        start: "04:30",
        timeZone: "W. Europe Standard Time",
      });
      patching.assign("machine", theirs, 1);
      const monitoring = new Monitoring(stack, "monitoring", {
        ...PLACEMENT,
        name: "theirs",
        emails: ["somebody@example.com"],
        retentionDays: 31,
      });
      monitoring.watchMachine("machine", theirs, "identity");
      monitoring.watchSite("https://theirs.example.com/");
      monitoring.watchDatabase("database");
      monitoring.watchLoadBalancer("balancer");
    });
    expect(count(stack)).toMatchObject({
      [`${os}_virtual_machine`]: 1,
      network_interface: 1,
      virtual_machine_run_command: 1,
      maintenance_configuration: 2,
      maintenance_assignment_virtual_machine: 1,
      monitor_data_collection_rule: 1,
      monitor_metric_alert: 5,
    });
  },
);

test("a network", () => {
  const stack = stackWith((stack) => {
    const network = new Network(stack, "network", {
      ...PLACEMENT,
      name: "theirs",
      addressSpace: "192.168.0.0/16",
      ranges: {
        web: "192.168.1.0/24",
        proxy: "192.168.2.0/24",
        operations: "192.168.3.0/24",
        endpoints: "192.168.4.0/24",
        bastion: "192.168.5.0/26",
      },
      slotPorts: [3000, 3001],
      publicPorts: [443],
      allowedSources: ["203.0.113.0/24"],
      bastion: "none",
    });
    for (const role of ["web", "proxy", "operations", "endpoints"] as const) {
      expect(network.subnetId(role)).toMatch(/\$\{TfToken/);
    }
    expect(network.ready.length).toBeGreaterThan(0);
  });
  expect(count(stack)).toMatchObject({ virtual_network: 1, subnet: 4, network_security_group: 4 });
  expect(count(stack)).not.toHaveProperty("bastion_host");
});

test("a private endpoint, and a store of secrets", () => {
  const stack = stackWith((stack) => {
    const secrets = new SecretStore(stack, "secrets", {
      ...PLACEMENT,
      name: "kv-theirs",
      tenantId: "33333333-0000-0000-0000-000000000000",
      readers: new Map([["fleet", "11111111-0000-0000-0000-000000000000"]]),
      protect: true,
    });
    new PrivateEndpoint(stack, "endpoint", {
      ...PLACEMENT,
      name: "secrets",
      service: "vault",
      resourceId: secrets.vaultId,
      subnetId: `${NETWORK}/subnets/endpoints`,
      virtualNetworkId: NETWORK,
    });
  });
  expect(count(stack)).toEqual({
    key_vault: 1,
    role_assignment: 1,
    private_dns_zone: 1,
    private_dns_zone_virtual_network_link: 1,
    private_endpoint: 1,
  });
});

test("everything at once, beside what is theirs", () => {
  const environment = azureEnvironment();
  const stack = stackWith((stack) => {
    new AzureInfrastructure(stack, "shop", { environment });
    machine(stack, "linux", "theirs");
  });
  expect(count(stack)).toMatchObject({ linux_virtual_machine: 5, resource_group: 1 });
});

test("two environments in one stack, none of whose names meet", () => {
  const stack = stackWith((stack) => {
    for (const name of ["one", "two"]) {
      new AzureInfrastructure(stack, name, { environment: azureEnvironment({}, { name }) });
    }
  });
  expect(count(stack)).toMatchObject({ resource_group: 2, key_vault: 2, virtual_network: 2 });
});

test("releases onto machines of theirs, which are known by their ids", () => {
  const environment = azureEnvironment();
  const stack = stackWith((stack, script) => {
    const server = ({ name }: { name: string }) =>
      new AzureVirtualMachine({
        name,
        os: "linux",
        virtualMachineId: `${GROUP}/Microsoft.Compute/virtualMachines/${name}`,
        location: "northeurope",
      });
    new BlueGreenDeployment(stack, "shop", {
      environment,
      record: recordOf({ application: "shop" }),
      servers: new Map(serverPlaces(environment).map((place) => [place.name, server(place)])),
      proxies: proxyPlaces(environment).map(server),
      installer: {
        script: script("install.sh", "exit 0\n"),
        patienceSeconds: 0,
        parameters: { COLOR: "blue" },
      },
    });
  });
  expect(count(stack)).toEqual({ virtual_machine_run_command: 11 });
});

/** The shipped files' texts by name. */
function shippedTexts(stack: SynthesizedStack, name: string): string[] {
  const files = readdirSync(join(stack.folder, "assets"), { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile() && file.name === name)
    .map((file) => readFileSync(join(file.parentPath, file.name), "utf8"))
    .sort();
}

test("two scripts of one name in two folders are two scripts", () => {
  const stack = stackWith((stack, script) => {
    const run = (id: string, file: string) =>
      runCommand(stack, id, {
        name: `run-${id}`,
        virtualMachineId: `${GROUP}/Microsoft.Compute/virtualMachines/one`,
        location: "northeurope",
        os: "windows",
        script: file,
        parameters: {},
        timeoutSeconds: 60,
        dependsOn: [],
      });
    const first = script("set-up.ps1", "one");
    run("first", first);
    run("other", script("set-up.ps1", "another"));
    run("again", first);
  });
  expect(shippedTexts(stack, "set-up.ps1")).toEqual(["another", "one"]);
  const sources = Object.values(stack.json.resource!["azurerm_virtual_machine_run_command"]!).map(
    ({ source }) => (source as { script: string }).script,
  );
  expect(new Set(sources).size).toBe(2);
});

const command = {
  name: "run-1",
  virtualMachineId: `${GROUP}/Microsoft.Compute/virtualMachines/one`,
  location: "northeurope",
  timeoutSeconds: 60,
  dependsOn: [],
};

test.each([
  ["exit 0\n", /, file\([^)]*set-up\.sh"\), "BLUEGREEN_SCRIPT\\n"/],
  ["exit 0", /, file\([^)]*set-up\.sh"\), "\\n", "BLUEGREEN_SCRIPT\\n"/],
])("a script's last line stays separate, with a newline or without: %j", (text, expected) => {
  const stack = stackWith((stack, script) => {
    const file = script("set-up.sh", text);
    runCommand(stack, "run", { ...command, os: "linux", script: file, parameters: {} });
  });
  const { source } = stack.json.resource!["azurerm_virtual_machine_run_command"]!["run"]!;
  expect((source as { script: string }).script).toMatch(expected);
});

test("fail when a script has the line that ends it", () => {
  expect(() =>
    stackWith((stack, script) => {
      const file = script("set-up.sh", "echo a\nBLUEGREEN_SCRIPT\nreboot\n");
      runCommand(stack, "run", { ...command, os: "linux", script: file, parameters: {} });
    }),
  ).toThrow('has a line "BLUEGREEN_SCRIPT", which ends it');
});

test("fail when a file's name is none for a server", () => {
  expect(() =>
    stackWith((stack, script) => {
      const file = script("set-up.sh", "exit 0\n");
      const files = { "../x": file };
      runCommand(stack, "run", { ...command, os: "linux", script: file, parameters: {}, files });
    }),
  ).toThrow('"../x" is no name for a file on a server');
});

test("fail when the parameters don't fit on a command line of Windows", () => {
  expect(() =>
    stackWith((stack, script) => {
      const file = script("set-up.ps1", "exit 0\n");
      runCommand(stack, "run", {
        ...command,
        os: "windows",
        script: file,
        parameters: { A: "x".repeat(20_000) },
      });
    }),
  ).toThrow(/the parameters take \d+ characters, a command line allows 24000/);
});

test("fail when the step's name is none that Azure takes", () => {
  expect(() =>
    stackWith((stack, script) => {
      const server = new AzureVirtualMachine({ ...command, os: "linux", name: "one" });
      const file = script("step.sh", "exit 0\n");
      server.run(stack, "step", {
        name: "a/b",
        script: file,
        parameters: {},
        timeoutSeconds: 1,
        dependsOn: [],
      });
    }),
  ).toThrow(`'name' ("a/b") must be 2 to 80 characters`);
});
