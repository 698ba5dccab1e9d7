/** The stacks of an Azure environment for each version of azurerm: no argument that this version does not know. */
import { readFileSync } from "node:fs";
import { AzurermProvider } from "@cdktf/provider-azurerm/lib/provider";
import { TerraformStack } from "cdktf";
import {
  AzurermVersion,
  DEFAULT_AZURERM,
  RENAMED_IN_5,
  TESTED_AZURERM,
  untested,
} from "../../configuration/azure/azurerm";
import * as z from "zod/mini";
import { parseEnvironment } from "../../configuration/environment-file";
import { requireAzure } from "../../configuration/platform";
import type { AzureEnvironment } from "../../configuration/environment";
import { AzureInfrastructure, Database, useAzurerm } from "../../constructs/azure";
import { azureEnvironment } from "../configuration/azure/examples";
import { attributes, baseOf, DATABASE, ENVIRONMENTS, resources, shipped, webOf } from "./azure";
import type { Block, SynthesizedStack } from "./azure";
import { readStack, synthesizeApp } from "./synthesis";

/**
 * What 5.0 no longer knows of the types in the stacks, as paths in Terraform's JSON. From the provider's 5.0 upgrade guide;
 * the arguments that the stacks write were also compared with the schemas of 4.55.0, 4.75.0, 4.81.0 and 5.2.0.
 */
const REMOVED_IN_5: Readonly<Record<string, readonly string[]>> = {
  application_insights: [
    "daily_data_cap_notifications_disabled",
    "disable_ip_masking",
    "local_authentication_disabled",
  ],
  key_vault: ["contact", "enable_rbac_authorization"],
  lb_rule: ["enable_floating_ip", "enable_tcp_reset"],
  linux_virtual_machine: ["vm_agent_platform_updates_enabled"],
  log_analytics_workspace: [
    "local_authentication_disabled",
    "internet_ingestion_enabled",
    "internet_query_enabled",
  ],
  monitor_diagnostic_setting: ["metric", "enabled_log/retention_policy"],
  mssql_database: [
    "long_term_retention_policy/immutable_backups_enabled",
    "threat_detection_policy/email_account_admins",
  ],
  mssql_server_extended_auditing_policy: ["storage_endpoint"],
  mssql_server_security_alert_policy: ["email_account_admins"],
  private_dns_zone_virtual_network_link: ["private_dns_zone_name", "resource_group_name"],
  storage_account: ["customer_managed_key/managed_hsm_key_id", "queue_properties", "static_website"],
  mssql_server_transparent_data_encryption: ["managed_hsm_key_id"],
  storage_account_customer_managed_key: [
    "key_name",
    "key_vault_id",
    "key_vault_uri",
    "key_version",
    "managed_hsm_key_id",
  ],
  storage_container: ["resource_manager_id", "storage_account_name"],
  subnet: ["service_endpoints"],
  virtual_network: ["subnet/service_endpoints"],
  windows_virtual_machine: ["enable_automatic_updates", "vm_agent_platform_updates_enabled"],
};

const KEY = { name: "shop", version: "0123456789abcdef0123456789abcdef" };
const EVERYWHERE = test.each([
  ...ENVIRONMENTS,
  ["a key of yours", azureEnvironment({ database: DATABASE, customerKey: KEY })] as const,
]);

const withProvider = (environment: AzureEnvironment, provider: string): AzureEnvironment => ({
  ...environment,
  platform: { ...environment.platform, provider },
});

/** The paths of a block, without the numbers of lists. */
const paths = (block: Block): string[] =>
  attributes(block).map(({ path }) => path.slice(1).replace(/(^|\/)\d+(?=\/|$)/g, ""));

const requiredVersion = ({ json }: SynthesizedStack): unknown =>
  (json.terraform as unknown as { required_providers: { azurerm: Block } }).required_providers.azurerm[
    "version"
  ];
const features = ({ json }: SynthesizedStack): Block =>
  (json.provider as unknown as { azurerm: [{ features: [Block] }] }).azurerm[0].features[0];

EVERYWHERE("for 5.x no argument is written that 5.0 removed: %s", (_, environment) => {
  const chosen = withProvider(environment, "5.2.0");
  const removed = [baseOf(chosen), webOf(chosen)].flatMap((stack) =>
    Object.entries(REMOVED_IN_5).flatMap(([type, names]) =>
      Object.values(resources(stack, type)).flatMap((block) =>
        paths(block)
          .filter((path) => names.includes(path))
          .map((path) => `${type}.${path}`),
      ),
    ),
  );
  expect(removed).toEqual([]);
});

EVERYWHERE("for 5.x what it renamed has the same meaning: %s", (_, environment) => {
  const chosen = withProvider(environment, "5.2.0");
  const [before, after] = [baseOf(environment), baseOf(chosen)];
  for (const type of Object.keys(RENAMED_IN_5).map((each) => each.replace("azurerm_", ""))) {
    const former = resources(before, type);
    for (const [id, block] of Object.entries(resources(after, type))) {
      const inOldNames: Record<string, unknown> = { ...block };
      delete inOldNames["//"];
      for (const [name, olds] of Object.entries(RENAMED_IN_5[`azurerm_${type}`]!)) {
        const value = inOldNames[name];
        delete inOldNames[name];
        if (name === "local_authentication_enabled")
          inOldNames["local_authentication_disabled"] = value !== true;
        else if (name === "private_dns_zone_id") {
          // The zone's id has both the zone's name and the group, and each link's zone is its own.
          const zone = String(former[id]!["private_dns_zone_name"]).replace(/\.name\}$/, ".id}");
          expect(value).toBe(zone);
          for (const old of olds) inOldNames[old] = former[id]![old];
        } else if (name === "key_vault_key_id") {
          expect(value).toMatch(new RegExp(`^https://kv-[a-z0-9-]+\\.vault\\.azure\\.net/keys/${KEY.name}$`));
          for (const old of olds) inOldNames[old] = former[id]![old];
        } else for (const old of olds) inOldNames[old] = value;
      }
      const { "//": _metadata, ...expected } = former[id]!;
      expect(inOldNames).toEqual(expected);
    }
  }
  // Nothing else differs but the provider.
  const others = (stack: SynthesizedStack): Block =>
    Object.fromEntries(
      Object.entries(stack.json.resource ?? {}).filter(([type]) => RENAMED_IN_5[type] === undefined),
    );
  expect(others(after)).toEqual(others(before));
});

test.each([
  ["4.55.0", undefined],
  ["4.74.0", undefined],
  ["4.75.0", true],
  ["4.81.0", true],
  ["5.0.0", true],
  ["5.2.0", true],
])(
  "azurerm %s is required exactly, and keeps failed commands in the state if it can: %s",
  (version, keeps) => {
    const environment = withProvider(shipped("azure-linux"), version);
    for (const stack of [baseOf(environment), webOf(environment)]) {
      expect(requiredVersion(stack)).toBe(version);
      expect(features(stack)["persist_id_on_create_before_polling_for_completion"]).toBe(keeps);
      expect(features(stack)).toMatchObject({ storage: [{ data_plane_available: false }] });
    }
  },
);

test("for 4.x, and without a choice, the stacks are as before", () => {
  const environment = shipped("azure-socialgoal");
  expect(requiredVersion(baseOf(environment))).toBe(DEFAULT_AZURERM);
  const { resource } = baseOf(environment).json;
  for (const version of ["4.55.0", "4.81.0"]) {
    expect(baseOf(withProvider(environment, version)).json.resource).toEqual(resource);
  }
});

test("a version that nothing was run with is named", () => {
  for (const version of TESTED_AZURERM) expect(untested(version)).toBeNull();
  expect(untested("4.75.0")).toBe(`azurerm 4.75.0; everything was run with ${TESTED_AZURERM.join(", ")}`);
});

test("a version is exact, and of a known range", () => {
  const accepted = (version: string) => z.safeParse(AzurermVersion, version).success;
  for (const version of [...TESTED_AZURERM, "4.75.0", "4.100.0", "5.0.1", "5.12.3"]) {
    expect([version, accepted(version)]).toEqual([version, true]);
  }
  for (const version of [
    "4.54.0",
    "4.9.0",
    "3.117.1",
    "6.0.0",
    "4.81",
    "~> 4.81",
    ">= 5.0",
    "5.2.0\n",
    "latest",
    "",
  ]) {
    expect([version, accepted(version)]).toEqual([version, false]);
  }
  expect(() => azureEnvironment({ provider: "4.81" })).toThrow(
    /"4.81" is not a valid exact version of the azurerm provider from 4.55.0 to 5.x, as in "4.81.0"/,
  );
});

describe("in a stack of yours", () => {
  const stackWith = (build: (stack: TerraformStack, provider: AzurermProvider) => void): SynthesizedStack =>
    readStack(
      synthesizeApp((app) => {
        const stack = new TerraformStack(app, "yours");
        build(stack, new AzurermProvider(stack, "azurerm", { features: [{}] }));
      }),
      "yours",
    );
  const database = (stack: TerraformStack) =>
    new Database(stack, "database", {
      resourceGroupName: "yours",
      location: "westeurope",
      tags: {},
      serverName: "sql-yours",
      databaseName: "yours",
      settings: {
        sku: "S1",
        maxSizeGb: 50,
        collation: "SQL_Latin1_General_CP1_CI_AS",
        backupDays: 14,
        administrators: { group: "people", objectId: "00000000-0000-0000-0000-000000000002" },
        authentication: "entra",
        migrationSecret: "migration-database-url",
        passwordVersion: 1,
        zoneRedundant: false,
        backupStorage: "Geo",
        ledger: false,
      },
      tenantId: "00000000-0000-0000-0000-000000000001",
      protect: false,
    } as never);

  test("useAzurerm chooses it, for the provider and for each construct", () => {
    const stack = stackWith((yours, provider) => {
      useAzurerm(provider, "5.2.0");
      database(yours);
    });
    expect(requiredVersion(stack)).toBe("5.2.0");
    expect(features(stack)).toEqual({ persist_id_on_create_before_polling_for_completion: true });
    const [policy] = Object.values(resources(stack, "mssql_server_security_alert_policy"));
    expect(policy).toMatchObject({ email_account_admins_enabled: true });
    expect(policy).not.toHaveProperty("email_account_admins");
  });

  test("after resources for another version it is refused, and so is no version", () => {
    stackWith((yours, provider) => {
      expect(() => useAzurerm(provider, "4.81")).toThrow(/"4.81": must be an exact version/);
      database(yours);
      expect(() => useAzurerm(provider, "5.2.0")).toThrow(/has resources for azurerm 4.55.0 already/);
    });
  });

  test("a whole environment is not written for another version than the stack's", () => {
    const environment = azureEnvironment({ provider: "5.2.0" });
    stackWith((yours, provider) => {
      expect(() => new AzureInfrastructure(yours, "first", { environment })).toThrow(
        /platform.provider is "5.2.0".*useAzurerm\(provider, environment.platform.provider\)/,
      );
      useAzurerm(provider, environment.platform.provider);
      new AzureInfrastructure(yours, "Default", { environment });
    });
  });
});

test("docs/azure.md has the number of resources of both environments", () => {
  const numbers = (["azure-socialgoal", "azure-linux"] as const).map(
    (name) => baseOf(shipped(name)).addresses.length,
  );
  const page = readFileSync("docs/azure.md", "utf8").replace(/\s+/g, " ");
  expect(page).toContain(`${numbers[0]} resources for this file, ${numbers[1]} for \`azure-linux.json\``);
  const each = [...page.matchAll(/\b(\d{2,3})(?: and (\d{2,3}))? resources\b/g)].flatMap(([, one, other]) =>
    other === undefined ? [Number(one)] : [Number(one), Number(other)],
  );
  expect(each.filter((number) => !numbers.includes(number))).toEqual([]);
});

test("docs/azure.md has the time after which Azure ends an install, in both places", () => {
  const [linux, windows] = (["azure-linux", "azure-socialgoal"] as const).map((name) => {
    const commands = Object.entries(resources(webOf(shipped(name)), "virtual_machine_run_command"));
    const times = commands
      .filter(([id]) => id.startsWith("install-"))
      .map(([, { timeouts }]) => (timeouts as { create: string }).create.replace(/m$/, ""));
    expect(new Set(times).size).toBe(1);
    return times[0];
  });
  const page = readFileSync("docs/azure.md", "utf8").replace(/\s+/g, " ");
  const times = [
    ...page.matchAll(/(\d+) minutes \(`azure-linux\.json`\) or (\d+) \(`azure-socialgoal\.json`\)/g),
  ];
  expect(times.map(([, one, other]) => [one, other])).toEqual([
    [linux, windows],
    [linux, windows],
  ]);
  expect(page).toContain(`fits into ${windows} minutes`);
});

test("an environment file chooses the version for the stacks", () => {
  const file = JSON.parse(readFileSync("environments/azure-linux.json", "utf8")) as { platform: object };
  const text = JSON.stringify({ ...file, platform: { ...file.platform, provider: "4.81.0" } });
  expect(requiredVersion(baseOf(requireAzure(parseEnvironment(text, "x.json"))))).toBe("4.81.0");
});
