/** How base protects an environment: who reads which secret, where machines connect to, what is logged, and keys. */
import { readFileSync } from "node:fs";
import type { AzureEnvironment } from "../../configuration/environment";
import { subnetRange } from "../../configuration/azure/azure-names";
import { secretsByRole } from "../../configuration/azure/azure-secrets";
import { slotEndpoints } from "../../configuration/naming";
import { azureEnvironment, ON_WINDOWS } from "../configuration/azure/examples";
import { baseOf, DATABASE, ENVIRONMENTS, only, resources, shipped, target } from "./azure";
import type { Block } from "./azure";

const PUBLISHER = "00000000-0000-0000-0000-000000000003";
const everywhere = test.each(ENVIRONMENTS);

interface Assignment extends Block {
  readonly scope: string;
  readonly principal_id: string;
  readonly depends_on?: readonly string[];
}

function secretRights(environment: AzureEnvironment): (readonly [string, Assignment])[] {
  const all = resources<Assignment>(baseOf(environment), "role_assignment");
  return Object.entries(all).filter(([, { scope }]) => scope.includes("azurerm_key_vault"));
}

/** The secrets that each identity may read. */
function readable(environment: AzureEnvironment): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const [, { scope, principal_id }] of secretRights(environment)) {
    (found[target(principal_id)] ??= []).push(/\}\/secrets\/([\w-]+)$/.exec(scope)?.[1] ?? "ALL");
  }
  for (const secrets of Object.values(found)) secrets.sort();
  return found;
}

describe("secrets", () => {
  test("each identity reads what its machines fetch, and nothing else", () => {
    expect(readable(shipped("azure-linux"))).toEqual({});
    expect(readable(shipped("azure-socialgoal"))).toEqual({
      "identity-web": ["socialgoal-connection-string", "socialgoal-machine-key"],
      "identity-proxy": ["socialgoal-example-com"],
      "identity-operations": ["migration-database-url"],
    });
  });

  everywhere("no identity reads another's secret: %s", (_, environment) => {
    const wanted = [...secretsByRole(environment.platform)].map(([role, names]) => [
      `identity-${role}`,
      [...names].sort(),
    ]);
    expect(readable(environment)).toEqual(Object.fromEntries(wanted));
  });

  test("one secret for two purposes is one right", () => {
    const [platform, changes] = ON_WINDOWS;
    const iis = { connectionString: { name: "Shop", secret: "shared" }, machineKeySecret: "shared" };
    expect(readable(azureEnvironment({ ...platform, iis }, changes))).toEqual({ "identity-web": ["shared"] });
  });

  test("a right that is replaced is given before it is taken, and the vault-wide one of before goes last", () => {
    const rights = secretRights(shipped("azure-socialgoal"));
    expect(rights).toHaveLength(4);
    for (const [, { lifecycle }] of rights) expect(lifecycle).toEqual({ create_before_destroy: true });
    // These addresses held the right on the whole vault.
    const before = rights.filter(([name]) => /^secrets_reader-(web|proxy|operations)_/.test(name));
    expect(before).toHaveLength(3);
    const [, web] = before.find(([name]) => name.startsWith("secrets_reader-web_"))!;
    const [other] = rights.find(([name]) => name.startsWith("secrets_reader-web-socialgoal-"))!;
    expect(web.depends_on).toEqual([`azurerm_role_assignment.${other}`]);
  });

  test("proxies wait for their right to the certificate", () => {
    const setups = Object.entries(
      resources<{ depends_on: string[] }>(baseOf(shipped("azure-socialgoal")), "virtual_machine_run_command"),
    ).filter(([name]) => name.startsWith("proxy-"));
    expect(setups).toHaveLength(2);
    for (const [, { depends_on }] of setups)
      expect(depends_on.join()).toContain("azurerm_role_assignment.secrets_reader-proxy_");
  });
});

describe("docs/azure.md, section 2", () => {
  const page = readFileSync("docs/azure.md", "utf8");
  const section = page.slice(page.indexOf("\n## 2. "), page.indexOf("\n## 3. "));

  /** What each identity has by the table; an empty first cell continues the one above. */
  function listed(): Map<string, string> {
    const found = new Map<string, string>();
    let who = "";
    for (const [, first, role, scope] of section.matchAll(/^\| ([^|]*)\| ([^|]*)\| ([^|]*)\|$/gm)) {
      if (first!.trim() !== "") who = first!;
      found.set(who, `${found.get(who) ?? ""}${role}: ${scope}\n`);
    }
    return found;
  }

  test("lists each role that base assigns, and to whom", () => {
    const version = "0123456789abcdef0123456789abcdef";
    const shop = shipped("azure-socialgoal");
    const platform = { ...shop.platform, customerKey: { name: "shop", version }, publishers: [PUBLISHER] };
    const environment: AzureEnvironment = { ...shop, platform };
    const assignments = Object.values(resources<Assignment>(baseOf(environment), "role_assignment"));
    expect(assignments.length).toBeGreaterThan(8);
    const rows = [...listed()];
    for (const { principal_id, role_definition_name } of assignments) {
      const identity = /identity-(\w+)\.principal_id/.exec(principal_id)?.[1];
      const who =
        identity !== undefined
          ? `\`id-socialgoal-prod-${identity}\``
          : principal_id === PUBLISHER
            ? "`platform.publishers`"
            : "the SQL server's own identity";
      const row = rows.find(([first]) => first.includes(who));
      expect([who, row?.[1]]).toEqual([who, expect.stringContaining(String(role_definition_name))]);
    }
  });

  test("lets base assign the roles that it assigns, by their ids", () => {
    const condition = /```text\n([^]*?)```/.exec(section)![1]!;
    const ids = {
      "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
      "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
      "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    };
    const roles = ENVIRONMENTS.flatMap(([, environment]) =>
      Object.values(resources<Assignment>(baseOf(environment), "role_assignment")),
    ).map(({ role_definition_name }) => role_definition_name);
    expect([...new Set(roles)].sort()).toEqual(Object.keys(ids).sort());
    for (const id of Object.values(ids)) expect(condition.split(id)).toHaveLength(3);
  });
});

interface Rule extends Block {
  readonly network_security_group_name: string;
  readonly direction: string;
  readonly access: string;
  readonly protocol: string;
  readonly priority: number;
  readonly destination_address_prefix: string;
  readonly destination_port_ranges?: readonly string[];
  readonly depends_on?: readonly string[];
}

function rulesOf(environment: AzureEnvironment, group: string, direction: string): [string, Rule][] {
  return Object.entries(resources<Rule>(baseOf(environment), "network_security_rule"))
    .filter(
      ([, rule]) =>
        rule.direction === direction &&
        target(rule.network_security_group_name).startsWith(`network_nsg-${group}_`),
    )
    .sort(([, one], [, other]) => one.priority - other.priority);
}

/** A line for each allowed outbound connection. */
function ways(environment: AzureEnvironment, group: string): string[] {
  return rulesOf(environment, group, "Outbound")
    .filter(([, { access }]) => access === "Allow")
    .map(
      ([, { protocol, destination_address_prefix: to, destination_port_ranges: ports }]) =>
        `${protocol} ${to} ${ports!.join()}`,
    );
}

describe("connections of machines", () => {
  everywhere("proxies reach the slots, each other and what the system needs: %s", (_, environment) => {
    const endpoints = slotEndpoints(environment);
    const ports = [...new Set([...endpoints.blue, ...endpoints.green].map(({ port }) => port))].sort();
    const shown = environment.platform.tlsCertificate === undefined ? "80" : "80,443";
    expect(ways(environment, "proxy")).toEqual([
      `Tcp ${subnetRange(environment, "web")} ${ports.join()}`,
      `Tcp ${subnetRange(environment, "proxy")} ${shown}`,
      `Tcp ${subnetRange(environment, "endpoints")} 443`,
      "Tcp Internet 80,443",
      "Udp Internet 123",
    ]);
  });

  everywhere("the operations server reaches database, artifacts and vault: %s", (_, environment) => {
    expect(ways(environment, "operations")).toEqual([
      `Tcp ${subnetRange(environment, "endpoints")} 443,1433,11000-11999`,
      "Tcp Internet 80,443",
      "Udp Internet 123",
    ]);
  });

  everywhere("an application's own connections stay as they are: %s", (_, environment) => {
    expect(rulesOf(environment, "web", "Outbound")).toEqual([]);
    expect(rulesOf(environment, "endpoints", "Outbound")).toEqual([]);
  });

  everywhere("the rest is denied, but only after everything else is allowed: %s", (_, environment) => {
    const limited = ["proxy", "operations", ...(environment.platform.bastion === "none" ? [] : ["bastion"])];
    for (const group of limited) {
      const outbound = rulesOf(environment, group, "Outbound");
      const denied = outbound.filter(([, { access }]) => access === "Deny");
      expect(denied.map(([, rule]) => rule)).toEqual([
        expect.objectContaining({
          priority: 4096,
          protocol: "*",
          source_address_prefix: "*",
          destination_address_prefix: "*",
          destination_port_range: "*",
        }),
      ]);
      const first = outbound.filter(([, { access }]) => access === "Allow");
      for (const [name] of first) {
        expect(denied[0]![1].depends_on).toContain(`azurerm_network_security_rule.${name}`);
      }
    }
  });

  test("web servers can be limited, with destinations of their own; proxies need not be", () => {
    const environment = azureEnvironment({
      outbound: {
        web: "limited",
        proxy: "any",
        destinations: [
          { to: "203.0.113.0/24", ports: ["587"] },
          { to: "EventHub.WestEurope", ports: ["5671-5672"] },
        ],
      },
    });
    expect(ways(environment, "web")).toEqual([
      "Tcp 10.20.4.0/24 443,1433,11000-11999",
      "Tcp Internet 1688",
      "Tcp Internet 80,443",
      "Udp Internet 123",
      "Tcp 203.0.113.0/24 587",
      "Tcp EventHub.WestEurope 5671-5672",
    ]);
    expect(rulesOf(environment, "proxy", "Outbound")).toEqual([]);
    expect(ways(environment, "operations")).toContain("Tcp 203.0.113.0/24 587");
  });

  test("Bastion's subnet has the rules that Azure wants, before it has the group", () => {
    const environment = shipped("azure-linux");
    const inbound = rulesOf(environment, "bastion", "Inbound").map(
      ([, { access, source_address_prefix: from, destination_port_ranges: ports }]) =>
        `${access} ${String(from)} ${ports?.join() ?? "*"}`,
    );
    expect(inbound).toEqual([
      "Allow Internet 443",
      "Allow GatewayManager 443",
      "Allow AzureLoadBalancer 443",
      "Allow VirtualNetwork 8080,5701",
      "Deny VirtualNetwork *",
    ]);
    expect(ways(environment, "bastion")).toEqual([
      "* VirtualNetwork 22,3389",
      "Tcp AzureCloud 443",
      "* VirtualNetwork 8080,5701",
      "* Internet 80",
    ]);
    const rules = [
      ...rulesOf(environment, "bastion", "Inbound"),
      ...rulesOf(environment, "bastion", "Outbound"),
    ];
    const base = baseOf(environment);
    const [, association] = Object.entries(resources(base, "subnet_network_security_group_association")).find(
      ([name]) => name.includes("bastion"),
    )!;
    expect([...(association["depends_on"] as string[])].sort()).toEqual(
      rules.map(([name]) => `azurerm_network_security_rule.${name}`).sort(),
    );
    expect(only(base, "bastion_host")["depends_on"]).toEqual([
      expect.stringContaining("subnet_network_security_group_association.network_nsg-bastion"),
    ]);
  });
});

describe("logs", () => {
  const AUDITED = azureEnvironment({ database: DATABASE });

  test("who read a secret or an artifact or asked the database is logged, for 90 days", () => {
    const base = baseOf(AUDITED);
    const settings = Object.values(
      resources<{ target_resource_id: string; enabled_log: { category: string }[] }>(
        base,
        "monitor_diagnostic_setting",
      ),
    );
    const logs = settings.map(({ target_resource_id, enabled_log }) => [
      target_resource_id.replace(/\$\{azurerm_(\w+)\..*\}/, "$1"),
      enabled_log.map(({ category }) => category),
    ]);
    expect(Object.fromEntries(logs)).toEqual({
      "storage_account/blobServices/default": ["StorageRead", "StorageWrite", "StorageDelete"],
      key_vault: ["AuditEvent"],
      "mssql_server/databases/master": ["SQLSecurityAuditEvents"],
    });
    for (const setting of settings)
      expect(setting).toMatchObject({
        log_analytics_workspace_id: expect.stringMatching(/log_analytics_workspace/),
      });
    const policy = only(base, "mssql_server_extended_auditing_policy");
    expect(policy).toMatchObject({ log_monitoring_enabled: true });
    // Each statement of the application would cost more than the database.
    expect(policy["audit_actions_and_groups"]).toContain("FAILED_DATABASE_AUTHENTICATION_GROUP");
    expect(policy["audit_actions_and_groups"]).not.toContain("BATCH_COMPLETED_GROUP");
    expect(only(base, "log_analytics_workspace")).toMatchObject({ retention_in_days: 90 });
  });

  test("each can be switched off for its cost", () => {
    const base = baseOf(
      azureEnvironment({
        logs: { audit: false, days: 30 },
        database: { ...DATABASE, threatAlerts: false },
      }),
    );
    for (const type of [
      "monitor_diagnostic_setting",
      "mssql_server_extended_auditing_policy",
      "mssql_server_security_alert_policy",
    ])
      expect(resources(base, type)).toEqual({});
    expect(only(base, "log_analytics_workspace")).toMatchObject({ retention_in_days: 30 });
  });

  test("alerts on attacks go to the owners, and to the recipients if there are any", () => {
    expect(only(baseOf(AUDITED), "mssql_server_security_alert_policy")).toMatchObject({
      state: "Enabled",
      email_account_admins: true,
    });
    const alerted = azureEnvironment({ database: DATABASE, alertEmails: ["a@example.com"] });
    expect(only(baseOf(alerted), "mssql_server_security_alert_policy")).toMatchObject({
      email_addresses: ["a@example.com"],
    });
  });
});

describe("settings that some regions, sizes or budgets lack", () => {
  test("by default nothing is asked for that would replace a database or a store of before", () => {
    const base = baseOf(shipped("azure-socialgoal"));
    const database = only(base, "mssql_database");
    expect(database).not.toHaveProperty("ledger_enabled");
    expect(database).toMatchObject({ zone_redundant: false, storage_account_type: "Geo" });
    expect(only(base, "storage_account")).toMatchObject({ account_replication_type: "ZRS" });
    expect(only(base, "storage_account")).not.toHaveProperty("identity");
    expect(resources(base, "storage_account_customer_managed_key")).toEqual({});
  });

  test("backups in the region only, artifacts in a second one", () => {
    const base = baseOf(
      azureEnvironment({
        storage: { replication: "RAGZRS" },
        database: { ...DATABASE, backupStorage: "Zone" },
      }),
    );
    expect(only(base, "storage_account")).toMatchObject({ account_replication_type: "RAGZRS" });
    expect(only(base, "mssql_database")).toMatchObject({ storage_account_type: "Zone" });
  });

  test("a key in the vault: for artifacts by its name, for the database by its version; both after their right", () => {
    const version = "0123456789abcdef0123456789abcdef";
    const environment = azureEnvironment({ database: DATABASE, customerKey: { name: "shop", version } });
    const base = baseOf(environment);
    const rights = Object.entries(resources<Assignment>(base, "role_assignment")).filter(([, { scope }]) =>
      scope.endsWith("/keys/shop"),
    );
    expect(rights.map(([, { role_definition_name }]) => role_definition_name)).toEqual([
      "Key Vault Crypto Service Encryption User",
      "Key Vault Crypto Service Encryption User",
    ]);
    const account = only(base, "storage_account");
    expect(account["identity"]).toMatchObject({ type: "UserAssigned" });
    expect(account["lifecycle"]).toEqual({ prevent_destroy: true, ignore_changes: ["customer_managed_key"] });
    const forStorage = only(base, "storage_account_customer_managed_key");
    expect(forStorage).toMatchObject({
      key_name: "shop",
      depends_on: [expect.stringContaining("right-storage")],
    });
    expect(forStorage).not.toHaveProperty("key_version");
    // The server's own argument and the resource for it would undo each other.
    expect(only(base, "mssql_server")["lifecycle"]).toEqual({
      prevent_destroy: true,
      ignore_changes: ["transparent_data_encryption_key_vault_key_id"],
    });
    expect(only(base, "mssql_server_transparent_data_encryption")).toMatchObject({
      key_vault_key_id: `https://${String(only(base, "key_vault")["name"])}.vault.azure.net/keys/shop/${version}`,
      depends_on: [expect.stringContaining("right-database")],
    });
  });
});
