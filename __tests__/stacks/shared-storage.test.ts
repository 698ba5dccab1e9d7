/** storage.shared: what the two stacks have with it on each platform, and that they have nothing of it without. */
import { readFileSync } from "node:fs";
import { parseEnvironment } from "../../configuration/environment-file";
import { azureEnvironment, azureFile, FILE, ON_WINDOWS } from "../configuration/azure/examples";
import { recordOf } from "../release/examples";
import { baseOf, ENVIRONMENTS, only, resources, webOf } from "./azure";
import type { Block } from "./azure";
import { CHECKOV } from "./public-rules/checkov";
import { TRIVY } from "./public-rules/trivy";
import { environmentWith, synthesizeWeb } from "./synthesis";

const STORAGE = { storage: { shared: ["public/uploads", "pictures"] } };
const PLATFORM = { protect: true, outbound: { web: "limited" } };
const before = azureEnvironment(PLATFORM);
const environment = azureEnvironment(PLATFORM, STORAGE);

describe("on Azure, Linux", () => {
  const base = baseOf(environment);
  const share = <T extends object = Block>(type: string): T =>
    Object.entries(resources<T>(base, type)).find(([name]) => name.startsWith("shared-storage"))![1];

  test("base has an NFS share in an account of its own, which nobody reaches but by its private endpoint", () => {
    expect(share("storage_account")).toMatchObject({
      name: expect.stringMatching(/^shshopprod[0-9a-f]{5}$/) as string,
      account_kind: "FileStorage",
      account_tier: "Premium",
      account_replication_type: "ZRS",
      https_traffic_only_enabled: false,
      shared_access_key_enabled: false,
      public_network_access_enabled: false,
      network_rules: { default_action: "Deny", bypass: ["AzureServices"] },
      share_properties: { retention_policy: { days: 30 } },
      lifecycle: { prevent_destroy: true },
    });
    expect(only(base, "storage_share")).toMatchObject({
      enabled_protocol: "NFS",
      name: "shared",
      quota: 100,
      storage_account_id: expect.stringContaining("azurerm_storage_account.shared-storage") as string,
      lifecycle: { prevent_destroy: true },
    });
    expect(share("private_endpoint")).toMatchObject({
      private_service_connection: { subresource_names: ["file"] },
    });
    expect(share("private_dns_zone")).toMatchObject({ name: "privatelink.file.core.windows.net" });
    expect(share("management_lock")).toMatchObject({ lock_level: "CanNotDelete" });
    expect(only(baseOf(azureEnvironment({ sharedStorageGb: 500 }, STORAGE)), "storage_share")).toMatchObject({
      quota: 500,
    });
  });

  test("each web server mounts it, after its set-up, the share and the endpoint, and no other machine does", () => {
    const mounts = Object.entries(
      resources<{ depends_on: string[]; parameter: { name: string; value: string }[] }>(
        base,
        "virtual_machine_run_command",
      ),
    ).filter(([name]) => name.includes("-share"));
    expect(mounts.map(([name]) => name.split("_")[0])).toEqual(["web-1-share", "web-2-share"]);
    for (const [name, { depends_on: after, parameter }] of mounts) {
      const server = name.slice(0, 5);
      for (const each of [
        "storage_share.",
        "private_endpoint.shared-storage",
        `run_command.${server}-setup`,
      ]) {
        expect(after.some((address) => address.includes(each))).toBe(true);
      }
      expect(parameter).toContainEqual({
        name: "SHARED_SOURCE",
        value: expect.stringMatching(
          /^(shshopprod[0-9a-f]{5})\.file\.core\.windows\.net:\/\1\/shared$/,
        ) as string,
      });
    }
  });

  test("only web servers may connect to it", () => {
    const rules = Object.entries(
      resources<{ destination_port_ranges?: string[]; source_address_prefix?: string }>(
        base,
        "network_security_rule",
      ),
    );
    const nfs = rules.filter(([, rule]) => rule.destination_port_ranges?.includes("2049") === true);
    expect(nfs.map(([name]) => name.replace(/_[0-9A-F]{8}$/, "")).sort()).toHaveLength(2);
    expect(nfs.some(([, rule]) => rule.source_address_prefix === "10.20.1.0/24")).toBe(true);
  });

  test("everything else in base is as without it", () => {
    const [with_, without] = [base, baseOf(before)].map(({ json }) => json.resource ?? {});
    for (const [type, blocks] of Object.entries(without!)) {
      for (const [name, block] of Object.entries(blocks)) {
        const now = with_![type]![name];
        if (JSON.stringify(now) === JSON.stringify(block)) continue;
        expect({ type, name, ports: now!["destination_port_ranges"] }).toMatchObject({
          type: "azurerm_network_security_rule",
          ports: expect.arrayContaining(["2049"]),
        });
      }
    }
  });

  test("the public rules that it is an exception from are on the page, each with its reason", () => {
    const broken = [...CHECKOV, ...TRIVY]
      .filter(({ holds }) => holds(baseOf(before)) !== false && holds(base) === false)
      .map(({ id }) => id);
    const page = readFileSync("docs/azure-rules.md", "utf8").split("## With `storage.shared`")[1]!;
    const rows = [...page.split("\n## ")[0]!.matchAll(/^\* (CKV2?_AZURE_\d+|AZU-\d+), [^:]+: ./gm)].map(
      ([, id]) => id!,
    );
    expect(rows).toEqual(broken);
  });

  test("web checks each server that gets a release before begin, and the installer has the folders", () => {
    const web = webOf(environment);
    const commands = resources<{ depends_on?: string[]; parameter: { name: string; value: string }[] }>(
      web,
      "virtual_machine_run_command",
    );
    const named = (id: string) => Object.entries(commands).find(([name]) => name.startsWith(id))![1];
    expect(named("begin-proxy-1").depends_on).toEqual([
      "azurerm_virtual_machine_run_command.check-web-1",
      "azurerm_virtual_machine_run_command.check-web-2",
    ]);
    for (const id of ["check-web-1", "install-green-web-2"]) {
      expect(named(id).parameter).toContainEqual({
        name: "SHARED_PATHS_BASE64",
        value: Buffer.from("public/uploads\npictures").toString("base64"),
      });
    }
  });

  test.each(ENVIRONMENTS)("%s has nothing of it", (_, each) => {
    expect(baseOf(each).text).not.toMatch(/shared-storage|privatelink\.file|"2049"|mount-share/);
    expect(webOf(each).text).not.toMatch(/SHARED_|check-web/);
  });
});

describe("on the local platform", () => {
  const local = environmentWith(STORAGE);
  const checks = (record: Parameters<typeof recordOf>[0]) =>
    Object.entries(synthesizeWeb(local, recordOf(record)).resources)
      .filter(([name]) => name.startsWith("check-"))
      .map(([name, { count, triggers_replace }]) => [
        name,
        count ?? 1,
        triggers_replace.replace(/-[0-9a-f]{8}$/, ""),
      ]);

  test("checks run where a sequence installs, and not for a rollback, which only moves traffic", () => {
    const release = recordOf({});
    const { sequence } = release;
    expect(checks({})).toEqual([
      ["check-web-1", 1, `check-${sequence}`],
      ["check-web-2", 1, `check-${sequence}`],
    ]);
    const back = { ...release, sequence: sequence + 1 };
    const counts = Object.entries(synthesizeWeb(local, back).resources)
      .filter(([name]) => name.startsWith("check-"))
      .map(([, { count }]) => count);
    expect(counts).toEqual([0, 0]);
    const healed = synthesizeWeb(local, { ...back, heals: { "web-2": back.sequence } }).resources;
    expect([healed["check-web-1"]!.count, healed["check-web-2"]!.count]).toEqual([0, undefined]);
  });
});

describe("refused", () => {
  const local = (shared: unknown) => () => environmentWith({ storage: { shared } });
  test.each([
    [["../up"], "is not a valid folder inside the application"],
    [["/abs"], "is not a valid folder inside the application"],
    [[".git"], "is not a valid folder inside the application"],
    [["a b"], "is not a valid folder inside the application"],
    [["a", "A/b"], '"A/b" is in "a": name the outer one only'],
    [["a", "b", "a"], '"a" is in "a": name the outer one only'],
    [[], "storage.shared"],
  ])("folders %j", (shared, message) => {
    expect(local(shared)).toThrow(message);
  });

  test("Windows, and a size without a share", () => {
    const [platform, changes] = ON_WINDOWS;
    const windows = () => parseEnvironment(azureFile(platform, { ...changes, ...STORAGE }), FILE);
    expect(windows).toThrow('storage.shared is for platform.webServers.os "linux"');
    expect(() => azureEnvironment({ sharedStorageGb: 200 })).toThrow("storage.shared, which is missing");
  });
});
