/** The promises of the base stack on Azure: allowed connections, protected resources, and nothing left open. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AzureEnvironment } from "../../configuration/environment";
import { subnetRange } from "../../configuration/azure/azure-names";
import { proxyPlaces, serverPlaces, slotEndpoints } from "../../configuration/naming";
import { azureEnvironment, ON_WINDOWS } from "../configuration/azure/examples";
import { attributes, baseOf, DATABASE, ENVIRONMENTS, only, resources, shipped, target } from "./azure";
import type { Block, SynthesizedStack } from "./azure";

const everywhere = test.each(ENVIRONMENTS);

interface Rule {
  readonly network_security_group_name: string;
  readonly direction: string;
  readonly access: string;
  readonly priority: number;
  readonly source_address_prefix?: string;
  readonly source_address_prefixes?: readonly string[];
  readonly destination_port_range?: string;
  readonly destination_port_ranges?: readonly string[];
}

function sources(rule: Rule): readonly string[] {
  return rule.source_address_prefixes ?? [rule.source_address_prefix!];
}

function ports(rule: Rule): readonly string[] {
  return rule.destination_port_ranges ?? [rule.destination_port_range!];
}

/** What may come in, in every group but Bastion's: a line for each source and port. */
function openings(environment: AzureEnvironment): { group: string; source: string; port: string }[] {
  return Object.values(resources<Rule>(baseOf(environment), "network_security_rule"))
    .filter(({ direction, access }) => direction !== "Outbound" && access === "Allow")
    .filter(({ network_security_group_name: group }) => !target(group).startsWith("network_nsg-bastion"))
    .flatMap((rule) =>
      sources(rule).flatMap((source) =>
        ports(rule).map((port) => ({
          group: target(rule.network_security_group_name).replace(/^network_nsg-(\w+)_.*$/, "$1"),
          source,
          port,
        })),
      ),
    );
}

/** Whether a port is one of a range's, as in `11000-11999`; `*` has all. */
function covers(range: string, port: number): boolean {
  if (range === "*") return true;
  const [first, last = first] = range.split("-").map(Number);
  return first! <= port && port <= last!;
}

/** The subnets and Azure's name of its load balancer: all other sources are external. */
function insiders(environment: AzureEnvironment): string[] {
  const roles = ["web", "proxy", "operations", "endpoints", "bastion"] as const;
  return [...roles.map((role) => subnetRange(environment, role)), "AzureLoadBalancer"];
}

function publicPorts({ platform }: AzureEnvironment): string[] {
  return platform.tlsCertificate === undefined ? ["80"] : ["80", "443"];
}

describe("the network", () => {
  everywhere("strangers reach the proxies' public ports and nothing else: %s", (_, environment) => {
    const open = openings(environment).filter(({ source }) => !insiders(environment).includes(source));
    expect(new Set(open.map(({ group }) => group))).toEqual(new Set(["proxy"]));
    expect(new Set(open.map(({ port }) => port))).toEqual(new Set(publicPorts(environment)));
  });

  everywhere("only those who are allowed are strangers that come in: %s", (_, environment) => {
    const { allowedSources } = environment.platform.proxyServers;
    const strangers = openings(environment).filter(({ source }) => !insiders(environment).includes(source));
    const expected =
      allowedSources.length === 1 && allowedSources[0] === "0.0.0.0/0" ? ["Internet"] : allowedSources;
    expect(new Set(strangers.map(({ source }) => source))).toEqual(new Set(expected));
  });

  everywhere("logins come from Bastion, and without it not at all: %s", (_, environment) => {
    const logins = openings(environment).filter(({ port }) => covers(port, 22) || covers(port, 3389));
    const expected = environment.platform.bastion === "none" ? [] : [subnetRange(environment, "bastion")];
    expect([...new Set(logins.map(({ source }) => source))]).toEqual(expected);
    const hosts = Object.keys(resources(baseOf(environment), "bastion_host"));
    expect(hosts).toHaveLength(expected.length);
  });

  everywhere("the slots answer to the proxies only: %s", (_, environment) => {
    const { blue, green } = slotEndpoints(environment);
    for (const { port } of [...blue, ...green]) {
      const open = openings(environment).filter(({ port: range }) => covers(range, port));
      expect(open).toEqual([{ group: "web", source: subnetRange(environment, "proxy"), port: String(port) }]);
    }
  });

  everywhere("a proxy asks the others for their records, by the port of users: %s", (_, environment) => {
    const [source, { port }] = [subnetRange(environment, "proxy"), proxyPlaces(environment)[0]!];
    expect(openings(environment)).toContainEqual({ group: "proxy", source, port: String(port) });
  });

  everywhere("the proxies do not reach the database, not even its port: %s", (_, environment) => {
    const proxies = subnetRange(environment, "proxy");
    const open = openings(environment).filter(
      ({ group, source }) => group === "endpoints" && source === proxies,
    );
    expect(open.map(({ port }) => port)).toEqual(["443"]);
  });

  everywhere("every subnet is guarded and denies the rest: %s", (_, environment) => {
    const base = baseOf(environment);
    const associations = Object.values(resources(base, "subnet_network_security_group_association"));
    const groupOf = new Map(
      associations.map(({ subnet_id, network_security_group_id }) => [
        target(subnet_id),
        target(network_security_group_id),
      ]),
    );
    const guarded = Object.entries(resources(base, "subnet"));
    expect(guarded).toHaveLength(environment.platform.bastion === "none" ? 4 : 5);
    const rules = Object.values(resources<Rule>(base, "network_security_rule"));
    for (const [subnet] of guarded) {
      const own = rules.filter(
        (rule) =>
          rule.direction === "Inbound" && target(rule.network_security_group_name) === groupOf.get(subnet),
      );
      const priorities = own.map(({ priority }) => priority);
      expect(new Set(priorities).size).toBe(own.length);
      const last = own.find(({ priority }) => priority === Math.max(...priorities));
      expect(last).toMatchObject({
        access: "Deny",
        direction: "Inbound",
        protocol: "*",
        priority: 4096,
        source_address_prefix: "VirtualNetwork",
        source_port_range: "*",
        destination_address_prefix: "*",
        destination_port_range: "*",
      });
    }
  });

  everywhere("machines leave through the NAT gateway, never by Azure's default way: %s", (_, environment) => {
    const base = baseOf(environment);
    const subnets = Object.entries(resources(base, "subnet"));
    const ways = subnets.map(([, subnet]) => [subnet["name"], subnet["default_outbound_access_enabled"]]);
    expect(Object.fromEntries(ways)).toEqual({
      "snet-web": false,
      "snet-proxy": false,
      "snet-operations": false,
      "snet-endpoints": false,
      // Azure's own, which it wants as it is.
      ...(environment.platform.bastion === "none" ? {} : { AzureBastionSubnet: undefined }),
    });
    const throughNat = Object.values(resources(base, "subnet_nat_gateway_association")).map(({ subnet_id }) =>
      target(subnet_id),
    );
    const subnetsOfMachines = interfaces(base).map(({ subnet_id }) => target(subnet_id));
    expect(new Set(throughNat)).toEqual(new Set(subnetsOfMachines));
  });

  everywhere("no machine has a public address: %s", (_, environment) => {
    const base = baseOf(environment);
    for (const each of interfaces(base)) expect(Object.keys(each)).not.toContain("public_ip_address_id");
    const owners = ["lb", "bastion_host", "nat_gateway_public_ip_association"].flatMap((type) =>
      attributes(resources(base, type)).filter(({ key }) => key === "public_ip_address_id"),
    );
    const addresses = Object.keys(resources(base, "public_ip"));
    expect(owners.map(({ value }) => target(value)).sort()).toEqual(addresses.sort());
  });

  everywhere("private endpoints obey their security group: %s", (_, environment) => {
    const subnets = Object.values(resources(baseOf(environment), "subnet"));
    expect(subnets.find(({ name }) => name === "snet-endpoints")).toMatchObject({
      private_endpoint_network_policies: "NetworkSecurityGroupEnabled",
    });
  });

  everywhere("the load balancer asks the proxies for themselves, never for a slot: %s", (_, environment) => {
    const base = baseOf(environment);
    expect(only(base, "lb_probe")).toMatchObject({
      protocol: "Http",
      port: 80,
      request_path: "/proxy-healthz",
    });
    const rules = Object.values(resources(base, "lb_rule"));
    expect(rules.map(({ frontend_port }) => String(frontend_port)).sort()).toEqual(
      publicPorts(environment).sort(),
    );
    for (const rule of rules) {
      expect(rule["backend_port"]).toBe(rule["frontend_port"]);
      expect(rule).toMatchObject({
        disable_outbound_snat: true,
        probe_id: expect.stringMatching(/azurerm_lb_probe/),
      });
    }
    const pooled = Object.values(resources(base, "network_interface_backend_address_pool_association"));
    expect(pooled).toHaveLength(environment.proxies.count);
  });
});

interface IpConfiguration extends Block {
  readonly subnet_id: string;
  readonly private_ip_address: string;
}

function interfaces(base: SynthesizedStack): IpConfiguration[] {
  const all = resources<{ ip_configuration: IpConfiguration[] }>(base, "network_interface");
  return Object.values(all).flatMap(({ ip_configuration }) => ip_configuration);
}

describe("what holds data", () => {
  everywhere(
    "the artifact store has no keys, no public side, and forgets nothing at once: %s",
    (_, environment) => {
      const base = baseOf(environment);
      expect(only(base, "storage_account")).toMatchObject({
        shared_access_key_enabled: false,
        default_to_oauth_authentication: true,
        public_network_access_enabled: false,
        allow_nested_items_to_be_public: false,
        cross_tenant_replication_enabled: false,
        https_traffic_only_enabled: true,
        infrastructure_encryption_enabled: true,
        min_tls_version: "TLS1_2",
        blob_properties: {
          versioning_enabled: true,
          delete_retention_policy: { days: 30 },
          container_delete_retention_policy: { days: 30 },
        },
      });
      expect(only(base, "storage_container")).toMatchObject({
        name: "releases",
        container_access_type: "private",
      });
      expect(base.json.provider).toMatchObject({ azurerm: [{ storage_use_azuread: true }] });
    },
  );

  everywhere("the Key Vault is closed, and nobody empties it: %s", (_, environment) => {
    expect(only(baseOf(environment), "key_vault")).toMatchObject({
      rbac_authorization_enabled: true,
      purge_protection_enabled: true,
      soft_delete_retention_days: 90,
      public_network_access_enabled: false,
      network_acls: { default_action: "Deny" },
    });
  });

  test("without a database in the environment there is none", () => {
    const base = baseOf(azureEnvironment());
    expect(base.addresses.filter((address) => /mssql/.test(address))).toEqual([]);
    expect(base.json.variable).toBeUndefined();
  });

  test("the database is reachable from the network only, and by default has no passwords", () => {
    const base = baseOf(azureEnvironment({ database: DATABASE }));
    const server = only(base, "mssql_server");
    expect(server).toMatchObject({
      public_network_access_enabled: false,
      minimum_tls_version: "1.2",
      azuread_administrator: { azuread_authentication_only: true, login_username: "sql-administrators" },
    });
    expect(Object.keys(server).filter((key) => /login|password/.test(key))).toEqual([]);
    expect(base.json.variable).toBeUndefined();
    expect(only(base, "mssql_database")).toMatchObject({
      collation: "SQL_Latin1_General_CP1_CI_AS",
      storage_account_type: "Geo",
      short_term_retention_policy: { retention_days: 14 },
    });
  });

  test("the SQL password comes from a variable that neither plan nor state contains", () => {
    const base = baseOf(
      azureEnvironment({ database: { ...DATABASE, authentication: "sql", passwordVersion: 3 } }),
    );
    const server = only(base, "mssql_server");
    const passwords = Object.entries(server).filter(([key]) => /password/.test(key));
    expect(Object.fromEntries(passwords)).toEqual({
      administrator_login_password_wo: "${var.sql_administrator_password}",
      administrator_login_password_wo_version: 3,
    });
    expect(server["azuread_administrator"]).toMatchObject({ azuread_authentication_only: false });
    expect(Object.keys(base.json.variable!)).toEqual(["sql_administrator_password"]);
    const variable = base.json.variable!["sql_administrator_password"]!;
    expect(variable).toMatchObject({ type: "string", ephemeral: true, sensitive: true, nullable: false });
    expect(variable).not.toHaveProperty("default");
  });

  const PROTECTED = ["key_vault", "mssql_database", "mssql_server", "storage_account", "storage_container"];

  test("it is not destroyed by mistake: neither by Terraform nor by hand", () => {
    const base = baseOf(azureEnvironment({ database: DATABASE }));
    const guarded = attributes(base.json.resource).filter(
      ({ key, value }) => key === "prevent_destroy" && value === true,
    );
    expect(guarded.map(({ path }) => path.split("/")[1]!.replace("azurerm_", "")).sort()).toEqual(PROTECTED);
    const locks = Object.values(resources(base, "management_lock"));
    expect(locks.map(({ scope }) => String(scope).replace(/^\$\{(\w+)\..*$/, "$1")).sort()).toEqual([
      "azurerm_mssql_database",
      "azurerm_storage_account",
    ]);
    for (const lock of locks) expect(lock["lock_level"]).toBe("CanNotDelete");
  });

  test("an environment with protect false can be destroyed completely", () => {
    const base = baseOf(azureEnvironment({ protect: false, database: DATABASE }));
    const guarded = attributes(base.json.resource).filter(
      ({ key, value }) => key === "prevent_destroy" && value === true,
    );
    expect(guarded).toEqual([]);
    expect(resources(base, "management_lock")).toEqual({});
  });

  everywhere("each service has its address in the network, under its usual name: %s", (_, environment) => {
    const base = baseOf(environment);
    const endpoints = Object.values(
      resources<{ private_service_connection: { subresource_names: string[] } }>(base, "private_endpoint"),
    );
    const services = endpoints.flatMap(
      ({ private_service_connection: { subresource_names } }) => subresource_names,
    );
    const database = environment.platform.database === undefined ? [] : ["sqlServer"];
    expect(services.sort()).toEqual(["blob", ...database, "vault"]);
    const zones = Object.values(resources(base, "private_dns_zone")).map(({ name }) => name);
    expect(new Set(zones).size).toBe(services.length);
    expect(Object.keys(resources(base, "private_dns_zone_virtual_network_link"))).toHaveLength(
      services.length,
    );
  });
});

interface VirtualMachine extends Block {
  readonly computer_name: string;
  readonly network_interface_ids: readonly string[];
  readonly identity: { readonly type: string; readonly identity_ids: readonly string[] };
  readonly zone?: string;
}

/** All machines by the name that the environment gives them. */
function machines(
  base: SynthesizedStack,
): Map<string, VirtualMachine & { os: "linux" | "windows"; id: string }> {
  const of = (os: "linux" | "windows") =>
    Object.entries(resources<VirtualMachine>(base, `${os}_virtual_machine`)).map(
      ([id, machine]) => [machine.computer_name, { ...machine, os, id }] as const,
    );
  return new Map([...of("linux"), ...of("windows")]);
}

describe("machines", () => {
  everywhere(
    "there are those that the environment asks for, and one for operations: %s",
    (_, environment) => {
      const names = [...serverPlaces(environment), ...proxyPlaces(environment)].map(({ name }) => name);
      const all = machines(baseOf(environment));
      expect([...all.keys()].sort()).toEqual([...names, "operations-1"].sort());
      const { os } = environment.platform.webServers;
      for (const [name, machine] of all) expect(machine.os).toBe(name.startsWith("web-") ? os : "linux");
    },
  );

  everywhere(
    "they start trusted, are encrypted, patch themselves, and have no password: %s",
    (_, environment) => {
      for (const machine of machines(baseOf(environment)).values()) {
        expect(machine).toMatchObject({
          secure_boot_enabled: true,
          vtpm_enabled: true,
          encryption_at_host_enabled: true,
          provision_vm_agent: true,
          patch_mode: "AutomaticByPlatform",
          patch_assessment_mode: "AutomaticByPlatform",
          bypass_platform_safety_checks_on_user_schedule_enabled: true,
          identity: { type: "UserAssigned" },
          boot_diagnostics: {},
          // A new image, or a key in cloud-init, must not replace a server.
          source_image_reference: { version: "latest" },
        });
        for (const replacing of ["custom_data", "user_data"]) expect(machine).not.toHaveProperty(replacing);
        if (machine.os === "linux") {
          expect(machine).toMatchObject({
            disable_password_authentication: true,
            admin_ssh_key: [{ username: "bluegreen", public_key: environment.platform.sshPublicKey }],
          });
          expect(machine).not.toHaveProperty("admin_password");
        } else {
          // Generated by Terraform, and never changed: that would replace the server.
          expect(machine["admin_password"]).toMatch(/^\$\{uuid\(\)\}/);
          expect(machine).toMatchObject({ lifecycle: { ignore_changes: ["admin_password"] } });
        }
      }
    },
  );

  everywhere("each answers at the address that web counts on: %s", (_, environment) => {
    const base = baseOf(environment);
    const nics = resources<{ ip_configuration: IpConfiguration[] }>(base, "network_interface");
    const all = machines(base);
    const addressOf = (name: string) => {
      const { network_interface_ids } = all.get(name)!;
      expect(network_interface_ids).toHaveLength(1);
      const [configuration] = nics[target(network_interface_ids[0])]!.ip_configuration;
      expect(configuration).toMatchObject({ private_ip_address_allocation: "Static" });
      return configuration!.private_ip_address;
    };
    for (const { name, host } of proxyPlaces(environment)) expect(addressOf(name)).toBe(host);
    for (const endpoints of Object.values(slotEndpoints(environment))) {
      for (const { server, host } of endpoints) expect(addressOf(server)).toBe(host);
    }
    expect(new Set([...all.keys()].map(addressOf)).size).toBe(all.size);
  });

  /** The window in which a machine may restart, by the machine's name. */
  function windows(base: SynthesizedStack): Map<string, string> {
    const nameOf = new Map([...machines(base)].map(([name, { id }]) => [id, name]));
    const assignments = Object.values(resources(base, "maintenance_assignment_virtual_machine"));
    return new Map(
      assignments.map(({ virtual_machine_id, maintenance_configuration_id }) => [
        nameOf.get(target(virtual_machine_id))!,
        target(maintenance_configuration_id),
      ]),
    );
  }

  everywhere("updates restart one half today and the other half another day: %s", (_, environment) => {
    const base = baseOf(environment);
    const windowOf = windows(base);
    expect(windowOf.size).toBe(machines(base).size);
    const days = Object.values(
      resources<{ scope: string; window: { recur_every: string } }>(base, "maintenance_configuration"),
    );
    for (const { scope } of days) expect(scope).toBe("InGuestPatch");
    expect(new Set(days.map(({ window }) => window.recur_every)).size).toBe(2);

    const spread = (names: string[]) => new Set(names.map((name) => windowOf.get(name))).size;
    expect(spread(serverPlaces(environment).map(({ name }) => name))).toBe(2);
    const proxies = proxyPlaces(environment).map(({ name }) => name);
    expect(spread(proxies)).toBe(Math.min(2, proxies.length));
    if (environment.topology === "split") {
      const { blue, green } = slotEndpoints(environment);
      const of = (endpoints: readonly { server: string }[]) =>
        new Set(endpoints.map(({ server }) => windowOf.get(server)));
      expect([...of(blue)].filter((window) => of(green).has(window))).toEqual([]);
    }
  });

  everywhere("the proxies, which the world reaches, have no rights on data: %s", (_, environment) => {
    const base = baseOf(environment);
    const proxies = [...machines(base)].filter(([name]) => name.startsWith("proxy-"));
    const identities = new Set(proxies.flatMap(([, { identity }]) => identity.identity_ids.map(target)));
    expect([...identities]).toEqual(["identity-proxy"]);
    const grants = Object.values(resources(base, "role_assignment")).filter(
      ({ principal_id }) => /^\$\{/.test(String(principal_id)) && identities.has(target(principal_id)),
    );
    const rights = grants.map(({ role_definition_name, scope }) => [role_definition_name, scope]);
    for (const [role, scope] of rights) {
      expect(role).toBe("Key Vault Secrets User");
      expect(scope).toMatch(new RegExp(`/secrets/${environment.platform.tlsCertificate}$`));
    }
  });

  everywhere("nobody has more than the right to read, but who publishes: %s", (_, environment) => {
    const { publishers } = environment.platform;
    const grants = Object.values(resources(baseOf(environment), "role_assignment"));
    for (const { role_definition_name, principal_id, scope } of grants) {
      const publishes = publishers.includes(String(principal_id));
      expect(role_definition_name).toMatch(
        publishes ? /^Storage Blob Data Contributor$/ : /^(Storage Blob Data Reader|Key Vault Secrets User)$/,
      );
      // No right is on a whole account or vault.
      expect(scope).toMatch(
        /Blob/.test(String(role_definition_name)) ? /\/containers\/\$\{[^}]*\}$/ : /\}\/secrets\/[\w-]+$/,
      );
    }
  });

  everywhere(
    "set-up runs again where it changed or the machine is new, and waits for the way out: %s",
    (_, environment) => {
      const base = baseOf(environment);
      const setups = Object.values(
        resources<{ name: string; virtual_machine_id: string; depends_on: string[]; lifecycle: Block }>(
          base,
          "virtual_machine_run_command",
        ),
      );
      expect(setups.map(({ virtual_machine_id }) => target(virtual_machine_id)).sort()).toEqual(
        [...machines(base).values()].map(({ id }) => id).sort(),
      );
      for (const { name, depends_on, lifecycle, virtual_machine_id } of setups) {
        const machine = target(virtual_machine_id);
        // The generation is eight characters of an id that is new for each machine.
        expect(name).toMatch(/^setup-[0-9a-f]{10}-\$\{substr\(terraform_data\.[\w-]+\.id, 0, 8\)\}$/);
        expect(name).toContain(machine.replace(/_[0-9A-F]{8}$/, "_generation"));
        expect(depends_on.filter((each) => /nat_gateway/.test(each))).toHaveLength(4);
        expect(lifecycle["create_before_destroy"]).not.toBe(true);
      }
    },
  );
});

describe("warnings and alerts", () => {
  test("that without a certificate the site is not encrypted", () => {
    expect(baseOf(azureEnvironment()).warnings).toEqual([
      "platform.tlsCertificate is not set: the site is served over plain HTTP, without encryption",
    ]);
    expect(baseOf(azureEnvironment({ tlsCertificate: "shop" })).warnings).toEqual([]);
  });

  test("no alerts without recipients; otherwise for a machine, the proxies, the database and the site", () => {
    const alerts = (environment: AzureEnvironment) =>
      Object.values(resources(baseOf(environment), "monitor_metric_alert")).map(({ name }) =>
        String(name).replace("alert-shop-prod-", ""),
      );
    expect(alerts(azureEnvironment())).toEqual([]);
    const platform = {
      ...{ alertEmails: ["a@example.com"], domain: "shop.example.com", database: DATABASE },
    };
    expect(alerts(azureEnvironment(platform, { servers: { count: 1 } })).sort()).toEqual([
      "database-cpu",
      "database-storage",
      "down-operations-1",
      "down-proxy-1",
      "down-web-1",
      "proxies-down",
      "site-down",
    ]);
  });

  test.each([
    [{ domain: "shop.example.com" }, "http://shop.example.com/"],
    [{ domain: "shop.example.com", tlsCertificate: "shop" }, "https://shop.example.com/"],
  ])("the site is asked for as users do: %j", (platform, url) => {
    const environment = azureEnvironment({ ...platform, alertEmails: ["a@example.com"] });
    const { request, validation_rules } = only<Record<string, Block>>(
      baseOf(environment),
      "application_insights_standard_web_test",
    );
    expect(String(request!["url"]).startsWith(url)).toBe(true);
    expect(validation_rules!["ssl_check_enabled"]).toBe(url.startsWith("https:") ? true : undefined);
  });
});

test("the addresses of base are public and stay as they are", () => {
  // A changed address would destroy and recreate a server, a network or a database.
  const file = join(__dirname, "azure-linux.base.addresses.txt");
  const expected = readFileSync(file, "utf8").trim().split("\n");
  expect(baseOf(shipped("azure-linux")).addresses).toEqual(expected);
});

test("one more server or proxy leaves the addresses of all others as they are", () => {
  const addresses = (count: number) => {
    const changes = { servers: { count }, proxies: { count }, topology: "split" };
    return baseOf(azureEnvironment({}, changes)).addresses;
  };
  expect(addresses(3)).toEqual(expect.arrayContaining([...addresses(2)]));
});

test("on Windows the machines are set up for IIS", () => {
  const base = baseOf(azureEnvironment(...ON_WINDOWS));
  expect(Object.keys(resources(base, "windows_virtual_machine"))).toHaveLength(2);
  for (const { os_disk } of Object.values(resources(base, "windows_virtual_machine"))) {
    expect(os_disk).toMatchObject({ storage_account_type: "Premium_LRS" });
  }
});
