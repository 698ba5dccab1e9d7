/** Both stacks of an Azure environment: names, tags, state, and nothing of this machine in the output. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { AzureEnvironment } from "../../configuration/environment";
import { formatRecord } from "../../release/record";
import { azureEnvironment } from "../configuration/azure/examples";
import { recordOf } from "../release/examples";
import { attributes, baseOf, ENVIRONMENTS, shipped, webOf } from "./azure";
import type { Block, SynthesizedStack } from "./azure";

const REPOSITORY = resolve(__dirname, "../..");
const everywhere = test.each(ENVIRONMENTS);

function stacksOf(environment: AzureEnvironment): SynthesizedStack[] {
  return [baseOf(environment), webOf(environment)];
}

function blocks(stack: SynthesizedStack): { type: string; id: string; block: Block }[] {
  return Object.entries(stack.json.resource ?? {}).flatMap(([type, byId]) =>
    Object.entries(byId).map(([id, block]) => ({ type, id, block })),
  );
}

everywhere("TLS is 1.2 or better wherever somebody asks for a version: %s", (_, environment) => {
  const versions = stacksOf(environment).flatMap(({ json }) =>
    attributes(json.resource).filter(({ key }) => /(min.*tls|tls.*(min|version))/i.test(key)),
  );
  expect(versions.length).toBeGreaterThan(0);
  for (const { path, value } of versions)
    expect([path, value]).toEqual([path, expect.stringMatching(/^(TLS)?1[._][23]$/)]);
});

everywhere("what can be closed to the public is: %s", (_, environment) => {
  const all = stacksOf(environment).flatMap(({ json }) => attributes(json.resource));
  const open = all.filter(
    ({ key, value }) =>
      (/public_network_access|local_authentication_enabled|shared_access_key|public_access/.test(key) &&
        value === true) ||
      (/local_authentication_disabled|https_traffic_only/.test(key) && value === false),
  );
  expect(open).toEqual([]);
});

describe("names", () => {
  /**
   * Azure's rules for what has no rule in azure-names.ts, as regular expressions and lengths.
   * Source: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
   */
  const INNER = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_])?$/;
  const HYPHENS = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/;
  const RULES: Record<string, readonly [RegExp, number]> = {
    application_insights: [/^[^%&\\?/]*[^%&\\?/. ]$/, 260],
    application_insights_standard_web_test: [/^[^%&\\?/]*[^%&\\?/. ]$/, 260],
    bastion_host: [INNER, 80],
    key_vault: [/^[a-zA-Z](?!.*--)[a-zA-Z0-9-]*[a-zA-Z0-9]$/, 24],
    lb: [INNER, 80],
    lb_backend_address_pool: [INNER, 80],
    lb_probe: [INNER, 80],
    lb_rule: [INNER, 80],
    linux_virtual_machine: [INNER, 64],
    log_analytics_workspace: [HYPHENS, 63],
    maintenance_configuration: [/^[A-Za-z0-9][A-Za-z0-9_-]*$/, 128],
    management_lock: [/^[^<>%&?/]*[^<>%&?/. ]$/, 90],
    monitor_action_group: [/^[^:<>+/&%\\?|]*[^:<>+/&%\\?| .]$/, 260],
    monitor_data_collection_rule: [HYPHENS, 64],
    monitor_data_collection_rule_association: [HYPHENS, 64],
    monitor_diagnostic_setting: [/^[^<>*%&:\\?+/]*[^<>*%&:\\?+/. ]$/, 260],
    monitor_metric_alert: [/^[^*#&+:<>?@%{}\\/]*[^*#&+:<>?@%{}\\/ .]$/, 260],
    mssql_database: [/^[^<>*%&:\\/?]*[^<>*%&:\\/?. ]$/, 128],
    mssql_server: [/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 63],
    nat_gateway: [INNER, 80],
    network_interface: [INNER, 80],
    network_security_group: [INNER, 80],
    network_security_rule: [INNER, 80],
    private_dns_zone: [/^([a-z0-9-]+\.)+[a-z]+$/, 63],
    private_dns_zone_virtual_network_link: [INNER, 80],
    private_endpoint: [INNER, 64],
    public_ip: [INNER, 80],
    resource_group: [/^[\w().-]*[\w()-]$/, 90],
    storage_account: [/^[a-z0-9]{3,}$/, 24],
    storage_container: [/^[a-z0-9](-?[a-z0-9])*$/, 63],
    subnet: [INNER, 80],
    user_assigned_identity: [/^[A-Za-z0-9][A-Za-z0-9_-]{2,}$/, 128],
    virtual_machine_extension: [/^[A-Za-z0-9]+$/, 260],
    virtual_machine_run_command: [INNER, 80],
    virtual_network: [INNER, 64],
    windows_virtual_machine: [INNER, 64],
  };
  /** Names inside of a resource, by the attribute that they are in. */
  const DISK: readonly [RegExp, number] = [INNER, 80];

  function broken(environment: AzureEnvironment): string[] {
    return stacksOf(environment)
      .flatMap(blocks)
      .flatMap(({ type, block }) => {
        const own = "name" in block ? [[type.replace("azurerm_", ""), block["name"]] as const] : [];
        const disk = block["os_disk"] as Block | undefined;
        return disk === undefined ? own : [...own, ["os_disk", disk["name"]] as const];
      })
      .filter(([type, name]) => {
        const [pattern, length] =
          type === "os_disk" ? DISK : (RULES[type] ?? fail(`there is no rule for ${type}`));
        const text = String(name).replace(/\$\{substr\([^}]*, 0, 8\)\}/, "0123abcd");
        return !pattern.test(text) || text.length > length;
      })
      .map(([type, name]) => `${type}: ${String(name)}`);
  }

  everywhere("none breaks a rule of Azure: %s", (_, environment) => {
    expect(broken(environment)).toEqual([]);
  });

  test("none does where application and environment have the longest names that fit", () => {
    const names = { application: `a${"b".repeat(23)}`, name: `c${"d".repeat(22)}` };
    const environment = azureEnvironment(
      {
        domain: "shop.example.com",
        alertEmails: ["a@example.com"],
        database: { administrators: { group: "g", objectId: "00000000-0000-0000-0000-000000000002" } },
      },
      { ...names, servers: { count: 20 }, proxies: { count: 8 } },
    );
    expect(broken(environment)).toEqual([]);
  });

  everywhere("names that are unique in a place are used once: %s", (_, environment) => {
    const seen = new Set<string>();
    for (const { type, block } of blocks(baseOf(environment))) {
      if (!("name" in block) || !("resource_group_name" in block)) continue;
      const parent =
        block["network_security_group_name"] ??
        block["virtual_network_name"] ??
        block["private_dns_zone_name"];
      const key = JSON.stringify([type, parent, block["name"]]);
      expect(seen).not.toContain(key);
      seen.add(key);
    }
  });
});

function fail(message: string): never {
  throw new Error(message);
}

/** Whether the provider knows tags on a type: its class has the attribute. */
function isTaggable(type: string): boolean {
  if (!type.startsWith("azurerm_")) return false;
  const file = type.replace("azurerm_", "").replaceAll("_", "-");
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- named by the test
  const exported = require(`@cdktf/provider-azurerm/lib/${file}`) as Record<string, { prototype?: object }>;
  return Object.values(exported).some(
    ({ prototype }) => prototype !== undefined && Object.hasOwn(prototype, "tagsInput"),
  );
}

everywhere("whatever base makes and can carry tags says whose it is: %s", (_, environment) => {
  const taggable = blocks(baseOf(environment)).filter(({ type }) => isTaggable(type));
  expect(taggable.length).toBeGreaterThan(10);
  const untagged = taggable.filter(({ block }) => block["tags"] === undefined).map(({ type }) => type);
  // The record of one execution: it is part of its machine, and replaced, never found by its tags.
  expect(new Set(untagged)).toEqual(new Set(["azurerm_virtual_machine_run_command"]));
  for (const { block } of taggable.filter(({ block }) => block["tags"] !== undefined)) {
    expect(block["tags"]).toEqual({
      ...environment.platform.tags,
      application: environment.application,
      environment: environment.name,
      "managed-by": "cdktf-bluegreen",
    });
  }
});

describe("the state", () => {
  const backendOf = (backend: object | undefined) => {
    const environment = azureEnvironment({}, backend === undefined ? {} : { backend });
    return stacksOf(environment).map(({ json: { terraform } }) => {
      const { required_providers: _, ...rest } = terraform;
      return rest;
    });
  };

  test("is a file below the project, by default", () => {
    const stacks = backendOf(undefined);
    for (const [index, id] of ["base", "web"].entries()) {
      expect(stacks[index]).toEqual({
        backend: {
          local: {
            path: expect.stringMatching(
              new RegExp(`^\\.\\./.*\\.bluegreen/prod/terraform\\.${id}\\.tfstate$`),
            ),
          },
        },
      });
    }
  });

  test("is a separate blob for each stack, reached without keys", () => {
    const backend = {
      kind: "azurerm",
      resourceGroup: "rg-state",
      storageAccount: "ststate",
      container: "state",
    };
    const block = {
      resource_group_name: "rg-state",
      storage_account_name: "ststate",
      container_name: "state",
      use_azuread_auth: true,
    };
    expect(backendOf(backend)).toEqual([
      { backend: { azurerm: { ...block, key: "shop/prod/base.tfstate" } } },
      { backend: { azurerm: { ...block, key: "shop/prod/web.tfstate" } } },
    ]);
  });

  test.each([
    [{}, {}],
    [{ project: "Web shops" }, { project: "Web shops" }],
  ])("is a separate workspace for each stack in Terraform Cloud, %j", (choice, block) => {
    const backend = { kind: "cloud", organization: "acme", ...choice };
    expect(backendOf(backend)).toEqual([
      { cloud: { organization: "acme", workspaces: { name: "shop-prod-base", ...block } } },
      { cloud: { organization: "acme", workspaces: { name: "shop-prod-web", ...block } } },
    ]);
  });

  test("is found from any machine: no stack names a folder of this one", () => {
    const backend = { kind: "cloud", organization: "acme" };
    for (const [, environment] of ENVIRONMENTS) {
      for (const stack of stacksOf({ ...environment, backend } as AzureEnvironment)) {
        expect(stack.text).not.toContain("../");
        for (const { value } of attributes(stack.json)) expectNoFolderOfThisMachine(String(value));
      }
    }
    // With a file as state, the way to it is relative.
    for (const { json } of stacksOf(shipped("azure-linux"))) {
      const [path] = attributes(json.terraform).filter(({ key }) => key === "path");
      expect(path!.value).toMatch(/^\.\.\//);
    }
  });

  function expectNoFolderOfThisMachine(text: string): void {
    const readable = /^[A-Za-z0-9+/]{40,}={0,2}$/.test(text)
      ? text + Buffer.from(text, "base64").toString()
      : text;
    for (const folder of [REPOSITORY, process.cwd(), tmpdir(), homedir(), "file:///"]) {
      expect(readable).not.toContain(folder);
    }
  }
});

describe("the built program", () => {
  const SECRETS = [
    "TF_VAR_sql_administrator_password",
    "TF_VAR_anything",
    "TF_TOKEN_app_terraform_io",
    "ARM_CLIENT_SECRET",
    "ARM_CLIENT_CERTIFICATE_PASSWORD",
    "ARM_ACCESS_KEY",
    "ARM_SAS_TOKEN",
    "ARM_OIDC_TOKEN",
    "ARM_CLIENT_ID",
    "ARM_TENANT_ID",
    "ARM_SUBSCRIPTION_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_KEY",
    "SYSTEM_ACCESSTOKEN",
    "GITHUB_TOKEN",
    "BLUEGREEN_SECRET",
  ];

  test.each(["azure-linux", "azure-socialgoal"])(
    "writes no secret of its surroundings into anything: %s",
    (name) => {
      const folder = mkdtempSync(join(tmpdir(), "bluegreen-secrets-"));
      const record = join(folder, "record.json");
      writeFileSync(record, formatRecord(recordOf()));
      const planted = Object.fromEntries(
        SECRETS.map((variable) => [variable, `planted-${variable.toLowerCase()}`]),
      );
      const ran = spawnSync(process.execPath, ["lib/main.js"], {
        cwd: REPOSITORY,
        encoding: "utf8",
        env: {
          PATH: process.env["PATH"],
          ...planted,
          BLUEGREEN_ENVIRONMENT: `environments/${name}.json`,
          BLUEGREEN_RECORD: record,
          CDKTF_OUTDIR: folder,
        },
      });
      expect(ran).toMatchObject({ status: 0 });
      const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      );
      const written = files.map((entry) => join(entry.parentPath, entry.name));
      const stacks = written
        .filter((file) => file.endsWith("cdk.tf.json"))
        .map((file) => relative(folder, file));
      expect(stacks.sort()).toEqual(["stacks/base/cdk.tf.json", "stacks/web/cdk.tf.json"]);
      for (const file of written) {
        const text = readFileSync(file, "utf8");
        const base64 = [...text.matchAll(/[A-Za-z0-9+/]{24,}={0,2}/g)].map(([word]) =>
          Buffer.from(word, "base64"),
        );
        for (const each of [text, ...base64.map(String)]) expect(each).not.toContain("planted-");
      }
      expect(ran.stdout + ran.stderr).not.toContain("planted-");
    },
  );
});
