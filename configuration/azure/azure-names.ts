/**
 * Names, resource ids and private addresses on Azure, computed from the environment alone. They are the contract
 * between the base and the web stack: a resource's id follows from its name.
 */
import { createHash } from "node:crypto";
import { ANY_ARCHIVE_EXTENSION } from "../../release/archive";
import type { ArchiveExtension } from "../../release/archive";
import { InvalidInput } from "../../release/failure";
import type { AzurePlatform } from "./azure-platform";

/** The input for the names. */
export interface AzureScope {
  readonly application: string;
  readonly name: string;
  readonly platform: AzurePlatform;
}

interface Rule {
  readonly pattern: RegExp;
  readonly minimum: number;
  readonly maximum: number;
  readonly characters: string;
  /** The field of the environment file that overrides the name. */
  readonly field?: string;
}

/**
 * Azure's naming rules, as its resource providers enforce them.
 * Source: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
 */
const RULES = {
  resourceGroup: {
    pattern: /^[\w().-]*[\w()-]$/,
    minimum: 1,
    maximum: 90,
    characters: "letters, digits, _ ( ) . and -, not ending with a full stop",
    field: "platform.names.resourceGroup",
  },
  virtualMachine: {
    pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9_]$/,
    minimum: 2,
    maximum: 64,
    characters: "letters, digits, . _ and -",
  },
  windowsComputer: {
    pattern: /^(?!\d+$)[A-Za-z0-9-]*[A-Za-z0-9]$/,
    minimum: 1,
    maximum: 15,
    characters: "letters, digits and -, not only digits",
  },
  storageAccount: {
    pattern: /^[a-z0-9]+$/,
    minimum: 3,
    maximum: 24,
    characters: "lower-case letters and digits",
    field: "platform.names.storageAccount",
  },
  keyVault: {
    pattern: /^[a-zA-Z](?!.*--)[a-zA-Z0-9-]*[a-zA-Z0-9]$/,
    minimum: 3,
    maximum: 24,
    characters: "letters, digits and single hyphens, starting with a letter",
    field: "platform.names.keyVault",
  },
  sqlServer: {
    pattern: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
    minimum: 1,
    maximum: 63,
    characters: "lower-case letters, digits and inner hyphens",
    field: "platform.names.sqlServer",
  },
} satisfies Record<string, Rule>;

/** Words that Azure refuses in names of resources with a DNS name. */
const RESERVED = /(microsoft|windows|azure|office|xbox|login|bizspark)/i;

/** @throws InvalidInput with the rule and its limit. */
function checkName(kind: keyof typeof RULES, name: string, what: string): string {
  const { pattern, minimum, maximum, characters, field }: Rule = RULES[kind];
  const hint = field === undefined ? "" : `; set ${field}`;
  if (name.length < minimum || name.length > maximum) {
    throw new InvalidInput(
      `the ${what}'s name "${name}" has ${name.length} characters, Azure allows ${minimum} to ${maximum}${hint}`,
    );
  }
  if (!pattern.test(name))
    throw new InvalidInput(`the ${what}'s name "${name}" must be ${characters}${hint}`);
  const reserved = kind === "resourceGroup" ? null : RESERVED.exec(name);
  if (reserved !== null) {
    throw new InvalidInput(
      `the ${what}'s name "${name}" contains "${reserved[0]}", which Azure reserves${hint}`,
    );
  }
  return name;
}

export interface AzureNames {
  /** `<application>-<environment>`, in most names. */
  readonly prefix: string;
  readonly resourceGroup: string;
  readonly storageAccount: string;
  readonly keyVault: string;
  readonly sqlServer: string;
  readonly database: string;
}

/** @throws InvalidInput if a name breaks an Azure rule. */
export function azureNames(scope: AzureScope): AzureNames {
  const { application, name, platform } = scope;
  const prefix = `${application}-${name}`;
  if (prefix.endsWith("-")) {
    throw new InvalidInput(
      `name "${name}" ends with a hyphen: most Azure names end with this name, and must not end with a hyphen`,
    );
  }
  const suffix = suffixOf(scope, prefix);
  const given = platform.names;
  return {
    prefix,
    resourceGroup: checkName("resourceGroup", given.resourceGroup ?? `rg-${prefix}`, "resource group"),
    storageAccount: checkName(
      "storageAccount",
      given.storageAccount ?? shortened("storageAccount", `st${prefix.replaceAll("-", "")}`, suffix),
      "storage account",
    ),
    keyVault: checkName(
      "keyVault",
      given.keyVault ?? shortened("keyVault", `kv-${prefix}`, `-${suffix}`),
      "Key Vault",
    ),
    sqlServer: checkName("sqlServer", given.sqlServer ?? `sql-${prefix}-${suffix}`, "SQL server"),
    database: platform.database?.name ?? application,
  };
}

/** The suffix distinguishes names that are equal after truncation. */
function shortened(kind: keyof typeof RULES, name: string, suffix: string): string {
  return name.slice(0, RULES[kind].maximum - suffix.length).replace(/-$/, "") + suffix;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 5);
}

export const RELEASES_CONTAINER = "releases";

/** The file share of `storage.shared`, in its own account. */
export const SHARE = "shared";

/** @throws InvalidInput if the name breaks an Azure rule. */
export function sharedStorageAccount(scope: AzureScope): string {
  const { prefix } = azureNames(scope);
  const name = shortened("storageAccount", `sh${prefix.replaceAll("-", "")}`, suffixOf(scope, prefix));
  return checkName("storageAccount", name, "shared storage account");
}

function suffixOf({ platform }: AzureScope, prefix: string): string {
  return platform.suffix ?? digest(`${platform.subscriptionId} ${prefix}`);
}

/** What servers mount. */
export function shareSource(scope: AzureScope): string {
  const account = sharedStorageAccount(scope);
  return `${account}.file.core.windows.net:/${account}/${SHARE}`;
}

export function blobHost(scope: AzureScope): string {
  return `${azureNames(scope).storageAccount}.blob.core.windows.net`;
}

/** The address of a blob in the artifact store. @param blob its name in the container. */
export function storedUrl(scope: AzureScope, blob: string): string {
  return `https://${blobHost(scope)}/${RELEASES_CONTAINER}/${blob}`;
}

/** The prefix of an application's artifacts and migrations. */
export function storePrefix({ application }: Pick<AzureScope, "application">): string {
  return `${application}/`;
}

/** The address of a published artifact. It contains the digest, so published artifacts never change. */
export function artifactUrl(
  scope: AzureScope,
  version: string,
  sha256: string,
  extension: ArchiveExtension,
): string {
  return storedUrl(scope, `${storePrefix(scope)}${version}/${sha256}${extension}`);
}

/** The address of a release's published migrations, with their digest. */
export function migrationsUrl(scope: AzureScope, sha256: string): string {
  return storedUrl(scope, `${storePrefix(scope)}migrations/${sha256}.zip`);
}

/** The address of the published migrator, one per version. */
export function migratorUrl(scope: AzureScope, sha256: string): string {
  return storedUrl(scope, `bluegreen/migrate-${sha256}.js`);
}

const DIGEST_IN_NAME = new RegExp(`/([0-9a-f]{64})${ANY_ARCHIVE_EXTENSION}$`);

/** The digest at the end of a published artifact's or bundle's name; undefined if `publish` did not create it. */
export function digestInName(blob: string): string | undefined {
  return DIGEST_IN_NAME.exec(blob)?.[1];
}

export function keyVaultHost(scope: AzureScope): string {
  return `${azureNames(scope).keyVault}.vault.azure.net`;
}

/** @param type as in `Microsoft.Compute/virtualMachines`. */
function resourceId(scope: AzureScope, type: string, name: string): string {
  const { subscriptionId } = scope.platform;
  return `/subscriptions/${subscriptionId}/resourceGroups/${azureNames(scope).resourceGroup}/providers/${type}/${name}`;
}

/** The name of a server's virtual machine. The server's name is only unique in the environment. */
export function virtualMachineName(scope: AzureScope, server: string): string {
  checkName("windowsComputer", server, "server");
  return checkName("virtualMachine", `vm-${azureNames(scope).prefix}-${server}`, "virtual machine");
}

export function virtualMachineId(scope: AzureScope, server: string): string {
  return resourceId(scope, "Microsoft.Compute/virtualMachines", virtualMachineName(scope, server));
}

/** One identity per kind of machine, with only the rights that it needs. */
export type Role = "web" | "proxy" | "operations";

export function identityName(scope: AzureScope, role: Role): string {
  return `id-${azureNames(scope).prefix}-${role}`;
}

/** Servers request tokens with this id. Unlike a client id, it is known before the identity exists. */
export function identityId(scope: AzureScope, role: Role): string {
  return resourceId(scope, "Microsoft.ManagedIdentity/userAssignedIdentities", identityName(scope, role));
}

/** The network, cut into subnets by the third number of the address. */
const SUBNET_NUMBERS = { web: 1, proxy: 2, operations: 3, endpoints: 4, bastion: 5 } as const;
export type SubnetRole = keyof typeof SUBNET_NUMBERS;

export function subnetRange({ platform }: AzureScope, role: SubnetRole): string {
  return `${platform.addressSpace.split(".").slice(0, 2).join(".")}.${SUBNET_NUMBERS[role]}.0/${role === "bastion" ? 26 : 24}`;
}

/** Azure reserves the first four addresses of a subnet. */
const FIRST_HOST = 11;

export function privateAddress({ platform }: AzureScope, role: Role, index: number): string {
  const network = platform.addressSpace.split(".").slice(0, 2).join(".");
  return `${network}.${SUBNET_NUMBERS[role]}.${FIRST_HOST + index}`;
}

/** The folder of bluegreen on a machine. */
export function machineFolder(os: "linux" | "windows"): string {
  return os === "windows" ? "C:\\bluegreen" : "/var/lib/bluegreen";
}

/** The availability zone of a server, so that each slot is spread over zones; undefined without zones. */
export function zoneOf(
  zones: readonly string[],
  topology: "split" | "sideBySide",
  index: number,
): string | undefined {
  // Split, servers alternate between the slots.
  const place = topology === "split" ? Math.floor(index / 2) + (index % 2) : index;
  return zones.length === 0 ? undefined : zones[place % zones.length];
}
