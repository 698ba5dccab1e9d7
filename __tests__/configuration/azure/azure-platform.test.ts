import { readFileSync } from "node:fs";
import { warningsOf } from "../../../configuration/advice";
import { parseEnvironment } from "../../../configuration/environment-file";
import { InvalidInput } from "../../../release/failure";
import { recordOf } from "../../release/examples";
import { azureEnvironment, azureFile, FILE, ON_WINDOWS } from "./examples";

const GUID = "00000000-0000-0000-0000-000000000002";

function refusal(platform: object, changes: object = {}): string {
  try {
    parseEnvironment(azureFile(platform, changes), FILE);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInput);
    const { message } = error as Error;
    expect(message.startsWith(`${FILE}: `)).toBe(true);
    expect(message).not.toContain("\n");
    return message.slice(FILE.length + 2);
  }
  throw new Error("nothing was refused");
}

test("five facts about Azure are enough, and the rest has its defaults", () => {
  const { platform } = azureEnvironment();
  expect(platform).toMatchObject({
    addressSpace: "10.20.0.0/16",
    administrator: "bluegreen",
    webServers: {
      size: "Standard_D2as_v5",
      zones: ["1", "2"],
      port: 8080,
      allowMetadata: false,
      packages: [],
    },
    proxyServers: { size: "Standard_B2s", zones: ["1", "2"], allowedSources: ["0.0.0.0/0"] },
    bastion: "Basic",
    patching: { days: ["Tuesday", "Thursday"], start: "02:00", timeZone: "UTC" },
    protect: true,
    outbound: { web: "any", proxy: "limited", operations: "limited", destinations: [] },
    logs: { days: 90, audit: true },
    storage: { replication: "ZRS" },
  });
  expect(platform.database).toBeUndefined();
});

test.each(["azure-linux", "azure-socialgoal"])("environments/%s.json is one", (name) => {
  const file = `environments/${name}.json`;
  expect(parseEnvironment(readFileSync(file, "utf8"), file).platform.kind).toBe("azure");
});

test("the application is asked with the name that users use", () => {
  const domain = "shop.example.com";
  expect(azureEnvironment({ domain }).verification.host).toBe(domain);
  const verification = { host: "other.example.com" };
  expect(azureEnvironment({ domain }, { verification }).verification.host).toBe("other.example.com");
  expect(azureEnvironment().verification.host).toBeUndefined();
});

test("IIS starts applications itself, and has settings by default", () => {
  const { platform } = azureEnvironment(...ON_WINDOWS);
  expect(platform.iis).toMatchObject({ requiredFiles: ["Web.config"], allowDestructiveInitializer: false });
});

test.each<[object, object, string]>([
  [{ subscriptionId: "x" }, {}, 'platform.subscriptionId: "x" is not a valid GUID (lower case)'],
  [
    { location: "West Europe" },
    {},
    'platform.location: "West Europe" is not a valid region, as in "westeurope"',
  ],
  [{ addressSpace: "8.8.0.0/16" }, {}, "is not a valid private address space of the form x.y.0.0/16"],
  [{ addressSpace: "10.20.0.0/24" }, {}, "is not a valid private address space of the form x.y.0.0/16"],
  [{ addressSpace: "127.0.0.0/16" }, {}, "is not a valid private address space of the form x.y.0.0/16"],
  [{ sshPublicKey: "-----BEGIN OPENSSH PRIVATE KEY-----" }, {}, "is not a valid SSH public key in one line"],
  [
    { sshPublicKey: `ssh-ed25519 ${"A".repeat(68)}` },
    {},
    "platform.sshPublicKey: the key is cut off or damaged",
  ],
  [{ administrator: "administrator" }, {}, "is not a valid administrator's name"],
  [{ domain: "shop" }, {}, '"shop" is not a valid domain name'],
  [{ suffix: "abc" }, {}, '"abc" is not a valid suffix: 4 to 8 of a-z and 0-9'],
  [{ webServers: { os: "windows" } }, {}, "start does not apply to IIS"],
  [{}, { start: undefined }, "start must be the command that starts an instance"],
  [{ iis: {} }, {}, 'platform.iis is only for platform.webServers.os "windows"'],
  [{ webServers: { os: "windows", packages: ["nodejs"] } }, { start: undefined }, "are Debian packages"],
  [
    { webServers: { os: "linux", packages: ["nodejs; reboot"] } },
    {},
    "is not a valid name of a Debian package",
  ],
  [
    { webServers: { os: "windows" } },
    { start: undefined, proxies: { http: { instances: "http2" } } },
    'proxies.http.instances is "http2", but IIS takes HTTP/2 only with TLS',
  ],
  [{}, { proxies: { driver: "embedded" } }, 'proxies.driver "embedded" is only for servers on one machine'],
  [{ patching: { days: ["Monday", "Monday"] } }, {}, "platform.patching.days: two different days"],
  [{ database: { administrators: { group: "g" } } }, {}, "platform.database.administrators.objectId must be"],
  [{ database: { sku: "GP_S_Gen5_2" } }, {}, "is not a valid service objective without auto-pause"],
  [
    { database: { administrators: { group: "g", objectId: GUID }, zoneRedundant: true } },
    {},
    'platform.database.zoneRedundant is true, but "S1" is in one zone: choose a P, GP, BC or HS service objective',
  ],
  [
    { outbound: { destinations: [{ to: "0.0.0.0/0", ports: ["25"] }] } },
    {},
    '"0.0.0.0/0" is not a valid IPv4 range or service tag',
  ],
  [
    { outbound: { destinations: [{ to: "Storage; Deny", ports: ["443"] }] } },
    {},
    "is not a valid IPv4 range or service tag",
  ],
  [{ outbound: { destinations: [{ to: "Storage", ports: ["90-80"] }] } }, {}, "a port or a range of ports"],
  [{ outbound: { destinations: [{ to: "Storage", ports: ["70000"] }] } }, {}, "a port or a range of ports"],
  [{ logs: { days: 7 } }, {}, "platform.logs.days"],
  [{ storage: { replication: "LRS" } }, {}, "platform.storage.replication"],
  [{ customerKey: { name: "a/b" } }, {}, '"a/b" is not a valid name of a Key Vault key'],
  [{ customerKey: { name: "a", version: "1" } }, {}, '"1" is not a valid version of a Key Vault key'],
  [{ alertEmails: ["somebody"] }, {}, "is not a valid e-mail address"],
  [{ surprise: 1 }, {}, 'platform: unknown field "surprise"'],
  [
    { names: { storageAccount: "shop-prod" } },
    {},
    `the storage account's name "shop-prod" must be lower-case letters and digits; set platform.names.storageAccount`,
  ],
  [
    { names: { keyVault: "kv-a-name-that-is-too-long" } },
    {},
    `the Key Vault's name "kv-a-name-that-is-too-long" has 26 characters, Azure allows 3 to 24; set platform.names.keyVault`,
  ],
  [{ names: { keyVault: "kv--shop" } }, {}, "must be letters, digits and single hyphens"],
  [{ names: { sqlServer: "Shop" } }, {}, "must be lower-case letters, digits and inner hyphens"],
  [{ names: { resourceGroup: "rg." } }, {}, "not ending with a full stop"],
  [{ names: { keyVault: "kv-shop" } }, { name: "prod-" }, 'name "prod-" ends with a hyphen'],
  [
    {},
    { application: "a".repeat(24), name: "b".repeat(24) },
    '-operations-1" has 65 characters, Azure allows 2 to 64',
  ],
  [{ names: { sqlServer: "sql-microsoft" } }, {}, 'contains "microsoft", which Azure reserves'],
])("%j %j is refused", (platform, changes, message) => {
  expect(refusal(platform, changes)).toContain(message);
});

test.each([
  [{ os: "linux" }, {}, true],
  [{ os: "linux", allowMetadata: true }, {}, false],
  [{ os: "linux" }, { authentication: "sql" }, false],
  [{ os: "windows" }, {}, false],
])("%j with a database %j: a warning that instances get no tokens: %s", (webServers, more, isWarned) => {
  const database = {
    administrators: { group: "admins", objectId: "00000000-0000-0000-0000-000000000002" },
    ...more,
  };
  const start = webServers.os === "windows" ? { start: undefined } : {};
  const environment = parseEnvironment(azureFile({ webServers, database }, start), FILE);
  const warnings = warningsOf(recordOf(), environment).filter((each) => each.includes("allowMetadata"));
  expect(warnings).toHaveLength(isWarned ? 1 : 0);
});
