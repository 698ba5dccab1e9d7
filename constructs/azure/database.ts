/** Azure SQL, reachable only from inside the network. By default Entra authenticates, without passwords. */
import { ManagementLock } from "@cdktf/provider-azurerm/lib/management-lock";
import { MssqlDatabase } from "@cdktf/provider-azurerm/lib/mssql-database";
import { MssqlServerExtendedAuditingPolicy } from "@cdktf/provider-azurerm/lib/mssql-server-extended-auditing-policy";
import { MssqlServerSecurityAlertPolicy } from "@cdktf/provider-azurerm/lib/mssql-server-security-alert-policy";
import { MssqlServer } from "@cdktf/provider-azurerm/lib/mssql-server";
import { TerraformVariable } from "cdktf";
import { Construct } from "constructs";
import type { AzureDatabase } from "../../configuration/azure/azure-platform";
import { inNamesOf5 } from "./azurerm";
import type { Placement } from "./placement";
import { requireLiteralId } from "./resource-id";

/** What {@link Database} is made of. */
export interface DatabaseProps extends Placement {
  readonly serverName: string;
  readonly databaseName: string;
  readonly tenantId: string;
  readonly settings: AzureDatabase;
  /** Sends the audit log to Azure Monitor: `Monitoring` keeps it. @default false */
  readonly audit?: boolean;
  /** Another construct sets the key that encrypts the database: `CustomerKey`. @default false */
  readonly ownKey?: boolean;
  /** Recipients of alerts on attacks, besides the subscription's owners. @default - none */
  readonly alertEmails?: readonly string[];
  /** Protects the data from deletion. */
  readonly protect: boolean;
}

/** The SQL administrator of `authentication: "sql"`. Changing it would replace the server and all databases. */
const SQL_ADMINISTRATOR = "bluegreen-admin";
const PASSWORD_VARIABLE = "sql_administrator_password";

/**
 * Logins, and changes of objects, users and rights. Azure's own choice has each statement, too: a busy application pays for
 * gigabytes a day.
 */
const AUDITED = [
  "SUCCESSFUL_DATABASE_AUTHENTICATION_GROUP",
  "FAILED_DATABASE_AUTHENTICATION_GROUP",
  "DATABASE_OBJECT_CHANGE_GROUP",
  "DATABASE_PERMISSION_CHANGE_GROUP",
  "DATABASE_PRINCIPAL_CHANGE_GROUP",
  "DATABASE_ROLE_MEMBER_CHANGE_GROUP",
  "SCHEMA_OBJECT_CHANGE_GROUP",
  "SCHEMA_OBJECT_PERMISSION_CHANGE_GROUP",
  "USER_CHANGE_PASSWORD_GROUP",
] as const;

/** A database with its server: created by this stack, or existing. */
export interface IDatabase {
  /** The resource id of the SQL server. */
  readonly serverId: string;
  /** The resource id of the database. */
  readonly databaseId: string;
}

/** An existing database. */
export interface DatabaseAttributes {
  /** The resource id of the database, as in `/subscriptions/.../servers/sql-shop/databases/shop`. */
  readonly databaseId: string;
}

/** An Azure SQL server and database that this stack creates. For existing ones: `Database.fromDatabaseAttributes`. */
export class Database extends Construct implements IDatabase {
  /**
   * An existing database, for `PrivateEndpoint` and `Monitoring`. Adds nothing to the stack, not even permissions.
   * Migrations address it by the names of server and database: see `Migrator`.
   * @throws Error if the id is not that of a database.
   */
  static fromDatabaseAttributes(scope: Construct, id: string, { databaseId }: DatabaseAttributes): IDatabase {
    requireLiteralId("databaseId", databaseId, "Microsoft.Sql/servers/databases");
    const serverId = databaseId.replace(/\/databases\/[^/]+$/i, "");
    return Object.assign(new Construct(scope, id), { databaseId, serverId });
  }

  readonly serverId: string;
  readonly databaseId: string;
  /** The server's own identity. */
  readonly principalId: string;

  constructor(scope: Construct, id: string, props: DatabaseProps) {
    super(scope, id);
    const { resourceGroupName, location, tags, settings, tenantId, protect } = props;
    const entraOnly = settings.authentication === "entra";
    const server = new MssqlServer(this, "Resource", {
      resourceGroupName,
      location,
      tags,
      name: props.serverName,
      version: "12.0",
      minimumTlsVersion: "1.2",
      publicNetworkAccessEnabled: false,
      outboundNetworkRestrictionEnabled: false,
      azureadAdministrator: {
        loginUsername: settings.administrators.group,
        objectId: settings.administrators.objectId,
        tenantId,
        azureadAuthenticationOnly: entraOnly,
      },
      ...(entraOnly ? {} : this.sqlAdministrator(settings.passwordVersion)),
      identity: { type: "SystemAssigned" },
      lifecycle: {
        preventDestroy: protect,
        ...(props.ownKey === true ? { ignoreChanges: ["transparent_data_encryption_key_vault_key_id"] } : {}),
      },
    });
    const database = new MssqlDatabase(this, "database", {
      serverId: server.id,
      tags,
      name: props.databaseName,
      skuName: settings.sku,
      maxSizeGb: settings.maxSizeGb,
      collation: settings.collation,
      storageAccountType: settings.backupStorage ?? "Geo",
      zoneRedundant: settings.zoneRedundant ?? false,
      // Explicitly false, it would replace a database that has it.
      ...(settings.ledger === true ? { ledgerEnabled: true } : {}),
      shortTermRetentionPolicy: { retentionDays: settings.backupDays, backupIntervalInHours: 12 },
      longTermRetentionPolicy: { weeklyRetention: "P4W" },
      lifecycle: { preventDestroy: protect },
    });
    if (protect) {
      new ManagementLock(this, "lock", {
        scope: database.id,
        name: "keep-data",
        lockLevel: "CanNotDelete",
        notes: "The application's data. Set platform.protect to false to remove this lock.",
      });
    }
    if (props.audit === true) {
      new MssqlServerExtendedAuditingPolicy(this, "audit", {
        serverId: server.id,
        logMonitoringEnabled: true,
        auditActionsAndGroups: [...AUDITED],
        // Azure may return them in another order, and their owner may add some.
        lifecycle: { ignoreChanges: ["audit_actions_and_groups"] },
      });
    }
    if (settings.threatAlerts !== false) {
      const alerts = new MssqlServerSecurityAlertPolicy(this, "alerts", {
        resourceGroupName,
        serverName: server.name,
        state: "Enabled",
        emailAccountAdmins: true,
        ...(props.alertEmails === undefined ? {} : { emailAddresses: [...props.alertEmails] }),
      });
      inNamesOf5(alerts, { email_account_admins_enabled: true });
    }
    this.serverId = server.id;
    this.databaseId = database.id;
    this.principalId = server.identity.principalId;
  }

  /** The password goes from an ephemeral variable into a write-only argument: neither plan nor state has it. */
  private sqlAdministrator(passwordVersion: number) {
    const password = new TerraformVariable(this, "password", {
      type: "string",
      sensitive: true,
      nullable: false,
      description: "The SQL administrator's password; read when passwordVersion changes.",
    });
    password.overrideLogicalId(PASSWORD_VARIABLE);
    password.addOverride("ephemeral", true);
    return {
      administratorLogin: SQL_ADMINISTRATOR,
      administratorLoginPasswordWo: password.stringValue,
      administratorLoginPasswordWoVersion: passwordVersion,
    };
  }
}
