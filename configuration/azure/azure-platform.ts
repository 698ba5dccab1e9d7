/**
 * The Azure part of an environment file. Everything but the subscription, the tenant, the region, the SSH key and the web
 * servers' system has a default.
 */
import * as z from "zod/mini";
import { HTTP_PATH, matches } from "../../release/patterns";
import { AzurermVersion } from "./azurerm";
import { CustomerKey, Logs, Outbound, Storage } from "./azure-safeguards";

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const Guid = matches(GUID, "GUID (lower case)");
const SSH_KEY =
  /^(ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{40,1400}={0,3}( [A-Za-z0-9@._+-]{1,100})?$/;
/** A private x.y.0.0/16. The loopback network is for an Azure simulation on one machine. */
const ADDRESS_SPACE =
  /^(10\.(1?\d?\d|2[0-4]\d|25[0-5])|172\.(1[6-9]|2\d|3[01])|192\.168|127\.([1-9]|1?\d\d|2[0-4]\d|25[0-5]))\.0\.0\/16$/;
const CIDR = /^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)(\/([0-9]|[12]\d|3[0-2]))?$/;
const SIZE = /^(Standard|Basic)_[A-Za-z0-9_-]{1,60}$/;
const VAULT_OBJECT = /^[A-Za-z0-9-]{1,127}$/;
const ENVIRONMENT_VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_.:-]{0,99}$/;
const RELATIVE_PATH = /^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9._-][A-Za-z0-9 ._/-]{0,199}$/;
const TYPE_NAME = /^[A-Za-z_][A-Za-z0-9_.]{0,199}(, ?[A-Za-z_][A-Za-z0-9_.]{0,199})?$/;

const Zone = z.enum(["1", "2", "3"]);
const Size = matches(SIZE, `size of a virtual machine, as in "Standard_D2as_v5"`);

const Image = z.strictObject({
  publisher: matches(/^[A-Za-z0-9._-]{1,80}$/, "publisher of an image"),
  offer: matches(/^[A-Za-z0-9._-]{1,80}$/, "offer of an image"),
  sku: matches(/^[A-Za-z0-9._-]{1,80}$/, "SKU of an image"),
  /** @default "latest": a newer image does not replace existing servers */
  version: z._default(matches(/^(latest|[0-9.]{1,40})$/, "version of an image"), "latest"),
});
export type Image = z.infer<typeof Image>;

const WebServers = z.strictObject({
  /** `windows`: IIS. `linux`: systemd. */
  os: z.enum(["windows", "linux"]),
  /** @default "Standard_D2as_v5" */
  size: z._default(Size, "Standard_D2as_v5"),
  /** The servers are spread over these availability zones; empty if the region has none. @default ["1", "2"] */
  zones: z._default(z.array(Zone).check(z.maxLength(3)), ["1", "2"]),
  /** @default Windows Server 2022 Azure Edition, or Ubuntu 24.04 LTS */
  image: z.optional(Image),
  /** The blue slot's port; side by side, the green slot has the next one. @default 8080 */
  port: z._default(z.int().check(z.minimum(1024), z.maximum(65_534)), 8080),
  /**
   * Linux: whether instances may reach the metadata address (169.254.169.254), and so act as the servers' managed identity:
   * for an application that gets tokens or secrets with it. @default false
   */
  allowMetadata: z._default(z.boolean(), false),
  /** Linux: Debian packages that the application needs, such as its runtime. @default [] */
  packages: z._default(
    z.array(matches(/^[a-z0-9][a-z0-9.+-]{1,60}$/, "name of a Debian package")).check(z.maxLength(50)),
    [],
  ),
});

const Page = z.strictObject({
  path: matches(HTTP_PATH, "HTTP path"),
  /** @default 200 */
  status: z._default(z.int().check(z.minimum(200), z.maximum(599)), 200),
  /** Text that the answer must contain. @default - any answer */
  contains: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
});

/** Windows: settings of an ASP.NET application on IIS. Only the names of secrets are here; the secrets stay in Key Vault. */
export const Iis = z.strictObject({
  /** Files that an artifact must contain; otherwise it is refused before any server is changed. @default ["Web.config"] */
  requiredFiles: z._default(
    z.array(matches(RELATIVE_PATH, "path inside the artifact")).check(z.maxLength(50)),
    ["Web.config"],
  ),
  /** A connection string of Web.config, and the Key Vault secret that holds it. @default - Web.config is not changed */
  connectionString: z.optional(
    z.strictObject({
      name: matches(/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/, "name of a connection string"),
      secret: matches(VAULT_OBJECT, "name of a Key Vault secret"),
    }),
  ),
  /** The secret with one machine key for all servers, slots and releases: `{"validationKey", "decryptionKey"}`. @default - Web.config is not changed */
  machineKeySecret: z.optional(matches(VAULT_OBJECT, "name of a Key Vault secret")),
  /** The Entity Framework context whose database initializer is disabled. @default - Web.config is not changed */
  disableInitializer: z.optional(matches(TYPE_NAME, `type name, as in "Shop.Data.ShopContext, Shop.Data"`)),
  /** Accepts a release whose initializer may drop the database. @default false */
  allowDestructiveInitializer: z._default(z.boolean(), false),
  /** Folders that all releases on a server share, such as uploads. Not shared between servers. @default [] */
  sharedFolders: z._default(
    z.array(matches(RELATIVE_PATH, "folder inside the site")).check(z.maxLength(20)),
    [],
  ),
  /** Values of appSettings. No secrets. @default {} */
  appSettings: z._default(
    z.record(matches(ENVIRONMENT_VARIABLE_NAME, "name of a setting"), z.string().check(z.maxLength(1000))),
    {},
  ),
  /** Requested on each server before its release counts as healthy. @default [] */
  warmUp: z._default(z.array(Page).check(z.maxLength(20)), []),
});
export type Iis = z.infer<typeof Iis>;

const ProxyServers = z.strictObject({
  /** @default "Standard_B2s" */
  size: z._default(Size, "Standard_B2s"),
  /** @default ["1", "2"] */
  zones: z._default(z.array(Zone).check(z.maxLength(3)), ["1", "2"]),
  /** Who may reach the site. @default ["0.0.0.0/0"] */
  allowedSources: z._default(z.array(matches(CIDR, "IPv4 range")).check(z.minLength(1), z.maxLength(100)), [
    "0.0.0.0/0",
  ]),
});

const Database = z.strictObject({
  /** @default the application's name */
  name: z.optional(
    matches(
      /^(?!(master|model|msdb|tempdb)$)[A-Za-z0-9_-]{1,128}$/i,
      "database name: letters, digits, _ and -, at most 128, none of SQL Server's own",
    ),
  ),
  /** Service objective, as in S1 or GP_Gen5_2. Not serverless: after a pause, the first request fails. @default "S1" */
  sku: z._default(
    matches(
      /^(Basic|S(0|1|2|3|4|6|7|9|12)|P(1|2|4|6|11|15)|(GP|BC|HS)_[A-Za-z0-9]{2,10}_\d{1,3})$/,
      `service objective without auto-pause, as in "S1" or "GP_Gen5_2"`,
    ),
    "S1",
  ),
  /** @default 50 */
  maxSizeGb: z._default(z.int().check(z.minimum(1), z.maximum(4096)), 50),
  /** Changing it replaces the database. @default "SQL_Latin1_General_CP1_CI_AS" */
  collation: z._default(matches(/^[A-Za-z0-9_]{1,100}$/, "collation"), "SQL_Latin1_General_CP1_CI_AS"),
  /** How many days back point-in-time restore works. @default 14 */
  backupDays: z._default(z.int().check(z.minimum(1), z.maximum(35)), 14),
  /** The Entra group that administers the SQL server. The identity that runs migrations need not be a member (docs/azure.md). */
  administrators: z.strictObject({
    group: matches(/^[\p{L}\p{N} ._@-]{1,100}$/u, "name of an Entra group"),
    objectId: Guid,
  }),
  /**
   * `entra`: no passwords. `sql`: SQL logins too, for applications that support nothing else (unmodified SocialGoal). The
   * administrator's password is write-only: TF_VAR_sql_administrator_password. @default "entra"
   */
  authentication: z._default(z.enum(["entra", "sql"]), "entra"),
  /**
   * `sql` only: the Key Vault secret with the address and login for migrations, as in
   * `mssql://user:password@server.database.windows.net/database`. @default "migration-database-url"
   */
  migrationSecret: z._default(matches(/^[0-9A-Za-z-]{1,127}$/, "secret's name"), "migration-database-url"),
  /** `sql` only: raise it to set a new password. @default 1 */
  passwordVersion: z._default(z.int().check(z.minimum(1)), 1),
  /** Not with Basic and S service objectives. @default false */
  zoneRedundant: z.optional(z.boolean()),
  /** Proof that no row was altered behind the database's back. Changing it replaces the database. @default false */
  ledger: z.optional(z.boolean()),
  /** Where backups are: `Geo` and `GeoZone` also in another region. @default "Geo" */
  backupStorage: z.optional(z.enum(["Geo", "GeoZone", "Zone", "Local"])),
  /** Alerts on attacks, to `alertEmails` and the subscription's owners: Microsoft Defender for SQL. @default true */
  threatAlerts: z.optional(z.boolean()),
});

const Names = z.strictObject({
  resourceGroup: z.optional(z.string()),
  storageAccount: z.optional(z.string()),
  keyVault: z.optional(z.string()),
  sqlServer: z.optional(z.string()),
});

export const AzurePlatform = z.strictObject({
  kind: z.literal("azure"),
  subscriptionId: Guid,
  tenantId: Guid,
  /**
   * The version of Terraform's azurerm provider, from 4.55.0 to 5.x, as in "4.81.0". A state that 5.x wrote is refused by
   * 4.x. @default - that of the stacks' bindings, 4.55.0
   */
  provider: z.optional(AzurermVersion),
  /** The region's name, as in "westeurope". */
  location: matches(/^[a-z][a-z0-9]{2,30}$/, `region, as in "westeurope"`),
  /** Four to eight characters for names that must be unique in all of Azure. @default - from subscription, application and environment */
  suffix: z.optional(matches(/^[a-z0-9]{4,8}$/, "suffix: 4 to 8 of a-z and 0-9")),
  /** Names of existing resources. @default - derived from application and environment */
  names: z._default(Names, {}),
  /** x.y.0.0/16; the servers' addresses are derived from it. @default "10.20.0.0/16" */
  addressSpace: z._default(
    matches(ADDRESS_SPACE, "private address space of the form x.y.0.0/16"),
    "10.20.0.0/16",
  ),
  /** The administrator of all machines, reached through Bastion. @default "bluegreen" */
  administrator: z._default(
    matches(
      /^(?!(admin|administrator|root|user|guest|test|sql|support|backup|console|owner|sys|server)$)[a-z][a-z0-9]{1,19}$/,
      "administrator's name: 2 to 20 of a-z and 0-9, none that Azure reserves",
    ),
    "bluegreen",
  ),
  /** The administrator's public key on the Linux machines. */
  sshPublicKey: matches(SSH_KEY, `SSH public key in one line, as in "ssh-ed25519 AAAA..."`).check(
    z.refine(matchesItsType, {
      error: () => "the key is cut off or damaged: copy the whole line of the .pub file",
    }),
  ),
  webServers: WebServers,
  iis: z.optional(Iis),
  proxyServers: z._default(ProxyServers, z.parse(ProxyServers, {})),
  /** The site's public name. @default - none: no availability test, and the address is the load balancer's */
  domain: z.optional(
    matches(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}$/, "domain name, as in shop.example.com"),
  ),
  /** The certificate's name in the environment's Key Vault. @default - plain HTTP, with a warning */
  tlsCertificate: z.optional(matches(VAULT_OBJECT, "name of a Key Vault certificate")),
  /** Access to the machines, none of which has a public address. `Standard` adds native clients. @default "Basic" */
  bastion: z._default(z.enum(["none", "Basic", "Standard"]), "Basic"),
  /** Azure SQL. @default - no database */
  database: z.optional(Database),
  /** Where alerts go. @default - no alerts, no availability test */
  alertEmails: z._default(
    z.array(matches(/^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}$/, "e-mail address")).check(z.maxLength(20)),
    [],
  ),
  /** Object ids of identities that may publish artifacts, such as the pipeline's. @default [] */
  publishers: z._default(z.array(Guid).check(z.maxLength(20)), []),
  /** Where machines may connect to. @default - web servers: anywhere; proxies and `operations-1`: what they need */
  outbound: z._default(Outbound, z.parse(Outbound, {})),
  logs: z._default(Logs, z.parse(Logs, {})),
  storage: z._default(Storage, z.parse(Storage, {})),
  /** The size of the share for `storage.shared`, in GiB: that is what Azure charges. @default 100 */
  sharedStorageGb: z.optional(z.int().check(z.minimum(100), z.maximum(102_400))),
  /** @default - Azure's own keys */
  customerKey: z.optional(CustomerKey),
  /** When the two halves of the servers may restart for updates: blue's half on the first day, green's on the second. */
  patching: z._default(
    z.strictObject({
      /** @default ["Tuesday", "Thursday"] */
      days: z._default(
        z
          .tuple([Weekday(), Weekday()])
          .check(z.refine(([one, other]) => one !== other, { error: () => "two different days" })),
        ["Tuesday", "Thursday"],
      ),
      /** Local time of `timeZone`. @default "02:00" */
      start: z._default(matches(/^([01]\d|2[0-3]):[0-5]\d$/, "time of day, as in 02:00"), "02:00"),
      /** A Windows time zone's name. @default "UTC" */
      timeZone: z._default(matches(/^[A-Za-z][A-Za-z0-9 .()+-]{1,60}$/, "Windows time zone"), "UTC"),
    }),
    { days: ["Tuesday", "Thursday"], start: "02:00", timeZone: "UTC" },
  ),
  /** Protects resources with data from being destroyed: `prevent_destroy` and locks. @default true */
  protect: z._default(z.boolean(), true),
  /** Tags on all resources, besides application and environment. @default {} */
  tags: z._default(
    z.record(matches(/^[^<>%&\\?/\u0000-\u001f]{1,128}$/, "tag name"), z.string().check(z.maxLength(256))),
    {},
  ),
});
export type AzurePlatform = z.infer<typeof AzurePlatform>;
export type AzureDatabase = z.infer<typeof Database>;

/** An SSH key begins with the length and the name of its type, the line's first word. Azure checks this too. */
function matchesItsType(line: string): boolean {
  const [kind = "", key = ""] = line.split(" ");
  const bytes = Buffer.from(key, "base64");
  if (bytes.length < 4 + kind.length) return false;
  return bytes.readUInt32BE(0) === kind.length && bytes.toString("latin1", 4, 4 + kind.length) === kind;
}

function Weekday() {
  return z.enum(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]);
}
