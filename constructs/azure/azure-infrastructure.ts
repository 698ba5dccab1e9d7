/** Everything of an environment on Azure that no release touches. */
import { ResourceGroup } from "@cdktf/provider-azurerm/lib/resource-group";
import { UserAssignedIdentity } from "@cdktf/provider-azurerm/lib/user-assigned-identity";
import { Annotations } from "cdktf";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import {
  azureNames,
  identityId,
  identityName,
  keyVaultHost,
  privateAddress,
  RELEASES_CONTAINER,
  SHARE,
  sharedStorageAccount,
  shareSource,
  subnetRange,
  virtualMachineName,
  zoneOf,
} from "../../configuration/azure/azure-names";
import type { AzureNames, Role } from "../../configuration/azure/azure-names";
import { secretsByRole } from "../../configuration/azure/azure-secrets";
import { directorSpec, encodeSpec } from "../../configuration/director-spec";
import type { AzureEnvironment } from "../../configuration/environment";
import { OPERATIONS_SERVER, proxyPlaces, serverPlaces, slotEndpoints } from "../../configuration/naming";
import { emptyRecord } from "../../release/record";
import { SLOTS } from "../../release/slot";
import { onServerProgram } from "../on-server-program";
import { ArtifactStore } from "./artifact-store";
import { requireAzurerm } from "./azurerm";
import { CustomerKey } from "./customer-key";
import { Database } from "./database";
import { LoadBalancer } from "./load-balancer";
import { MachineSetup } from "./machine-setup";
import { Machine } from "./machine";
import type { MachineProps, OperatingSystem } from "./machine";
import { Monitoring } from "./monitoring";
import { Network } from "./network";
import type { INetwork } from "./network";
import { Patching } from "./patching";
import type { Placement } from "./placement";
import { PrivateEndpoint } from "./private-endpoint";
import type { PrivateEndpointProps } from "./private-endpoint";
import { SecretStore } from "./secret-store";
import { SharedStorage } from "./shared-storage";

/** What {@link AzureInfrastructure} is made of. */
export interface AzureInfrastructureProps {
  readonly environment: AzureEnvironment;
  /**
   * An existing network: `Network.fromNetworkAttributes`. Machines still get their addresses from
   * `platform.addressSpace`, so the subnet of each role must contain the range of that role (docs/azure.md). The
   * network's owner provides Bastion and the security groups.
   * @default - a new network, closed except for what each role needs
   */
  readonly network?: INetwork;
}

const ROLES: readonly Role[] = ["web", "proxy", "operations"];
const PROBE_PATH = "/proxy-healthz";
const OPERATIONS_SIZE = "Standard_B1ms";
const RETENTION_DAYS = 30;
/** Azure's least. */
const DEFAULT_SHARE_GB = 100;
/** Debian packages that this package's programs need on the machines. */
const INSTALLER_PACKAGES = ["curl", "unzip"];
const SHARE_PACKAGES = ["nfs-common"];
const OPERATIONS_PACKAGES = ["curl", "nodejs"];

/** A whole environment on Azure. Its stack needs an `AzurermProvider`; `BaseStack` adds one. */
export class AzureInfrastructure extends Construct {
  private readonly environment: AzureEnvironment;
  private readonly names: AzureNames;
  private readonly placement: Placement;
  private readonly network: INetwork;
  private readonly identities: ReadonlyMap<Role, UserAssignedIdentity>;
  private readonly monitoring: Monitoring;
  private readonly patching: Patching;

  constructor(scope: Construct, id: string, { environment, network }: AzureInfrastructureProps) {
    super(scope, id);
    this.environment = environment;
    this.names = azureNames(environment);
    const { platform } = environment;
    requireAzurerm(this, platform.provider);
    if (platform.tlsCertificate === undefined) {
      Annotations.of(this).addWarning(
        "platform.tlsCertificate is not set: the site is served over plain HTTP, without encryption",
      );
    }

    this.placement = this.addResourceGroup();
    this.network = network ?? this.addNetwork();
    this.identities = new Map(ROLES.map((role) => [role, this.addIdentity(role)]));
    const { prefix: name } = this.names;
    this.monitoring = new Monitoring(this, "monitoring", {
      ...this.placement,
      name,
      emails: platform.alertEmails,
      retentionDays: platform.logs.days,
    });
    const { days, start, timeZone } = platform.patching;
    this.patching = new Patching(this, "patching", { ...this.placement, name, days, start, timeZone });

    const keyIdentity = platform.customerKey === undefined ? undefined : this.addKeyIdentity();
    const artifacts = this.addArtifactStore(keyIdentity?.id);
    const secrets = this.addSecretStore();
    const share = environment.storage === undefined ? undefined : this.addSharedStorage();
    this.addWebServers(share);
    this.addProxies(secrets);
    this.addOperationsServer();
    const database = this.addDatabase();
    if (keyIdentity !== undefined) this.addCustomerKey(keyIdentity, artifacts, secrets, database);
    if (platform.logs.audit) {
      this.monitoring.collectAuditLogs(artifacts.accountId, secrets.vaultId, database?.serverId);
    }
    this.addPrivateEndpoint("artifacts", "blob", artifacts.accountId);
    this.addPrivateEndpoint("secrets", "vault", secrets.vaultId);
  }

  private addResourceGroup(): Placement {
    const { application, name, platform } = this.environment;
    const tags = { ...platform.tags, application, environment: name, "managed-by": "cdktf-bluegreen" };
    const group = new ResourceGroup(this, "group", {
      name: this.names.resourceGroup,
      location: platform.location,
      tags,
    });
    return { resourceGroupName: group.name, location: platform.location, tags };
  }

  private addNetwork(): Network {
    const { environment } = this;
    const { addressSpace, proxyServers, bastion, outbound } = environment.platform;
    const endpoints = slotEndpoints(environment);
    const slotPorts = new Set(SLOTS.flatMap((slot) => endpoints[slot].map(({ port }) => port)));
    const range = (role: Parameters<typeof subnetRange>[1]) => subnetRange(environment, role);
    return new Network(this, "network", {
      ...this.placement,
      name: this.names.prefix,
      addressSpace,
      ranges: {
        web: range("web"),
        proxy: range("proxy"),
        operations: range("operations"),
        endpoints: range("endpoints"),
        bastion: range("bastion"),
      },
      slotPorts: [...slotPorts].sort(),
      publicPorts: this.publicPorts(),
      allowedSources: proxyServers.allowedSources,
      bastion,
      outbound,
      ...(environment.storage === undefined ? {} : { mountsShare: true }),
    });
  }

  private publicPorts(): number[] {
    const [place] = proxyPlaces(this.environment);
    return [place!.port, ...(place!.tls === null ? [] : [place!.tls.port])];
  }

  private addIdentity(role: Role): UserAssignedIdentity {
    return new UserAssignedIdentity(this, `identity-${role}`, {
      ...this.placement,
      name: identityName(this.environment, role),
    });
  }

  /** For the artifact store, which can't use a key with a right that its own identity gets only afterwards. */
  private addKeyIdentity(): UserAssignedIdentity {
    return new UserAssignedIdentity(this, "identity-storage", {
      ...this.placement,
      name: `id-${this.names.prefix}-storage`,
    });
  }

  private addArtifactStore(keyIdentityId: string | undefined): ArtifactStore {
    const { platform } = this.environment;
    return new ArtifactStore(this, "artifacts", {
      ...this.placement,
      accountName: this.names.storageAccount,
      containerName: RELEASES_CONTAINER,
      readers: this.principals("web", "operations"),
      publishers: platform.publishers,
      replication: platform.storage.replication,
      ...(keyIdentityId === undefined ? {} : { keyIdentityId }),
      retentionDays: RETENTION_DAYS,
      protect: platform.protect,
    });
  }

  /** @returns what a server must wait for before it mounts the share. */
  private addSharedStorage(): ITerraformDependable[] {
    const { protect, sharedStorageGb } = this.environment.platform;
    const storage = new SharedStorage(this, "shared-storage", {
      ...this.placement,
      accountName: sharedStorageAccount(this.environment),
      shareName: SHARE,
      sizeGb: sharedStorageGb ?? DEFAULT_SHARE_GB,
      retentionDays: RETENTION_DAYS,
      protect,
    });
    return [storage.share, this.addPrivateEndpoint("shared-storage", "file", storage.accountId).resource];
  }

  private addSecretStore(): SecretStore {
    const { tenantId, protect } = this.environment.platform;
    const secrets = secretsByRole(this.environment.platform);
    return new SecretStore(this, "secrets", {
      ...this.placement,
      name: this.names.keyVault,
      tenantId,
      readers: this.principals(...secrets.keys()),
      secrets,
      protect,
    });
  }

  private addWebServers(share: ITerraformDependable[] | undefined): void {
    const { environment } = this;
    const { os, size, zones, image, packages } = environment.platform.webServers;
    serverPlaces(environment).forEach(({ name }, index) => {
      const zone = zoneOf(zones, environment.topology, index);
      const machine = this.addMachine("web", name, index, os, {
        size,
        ...(image === undefined ? {} : { image }),
        ...(zone === undefined ? {} : { zone }),
      });
      this.patching.assign(name, machine, index % 2);
      const setup = new MachineSetup(this, `${name}-setup`, {
        serverName: name,
        machine,
        location: this.placement.location,
        ...(os === "windows"
          ? {
              script: onServerProgram("azure/setup-iis.ps1"),
              parameters: { ADMINISTRATOR_NAME: environment.platform.administrator },
            }
          : {
              script: onServerProgram("azure/setup-web-server.sh"),
              parameters: { PACKAGES: [...INSTALLER_PACKAGES, ...packages].join(" ") },
              files: delivered("install-packages.sh"),
            }),
        dependsOn: this.network.ready,
      });
      if (share === undefined) return;
      new MachineSetup(this, `${name}-share`, {
        serverName: name,
        machine,
        location: this.placement.location,
        script: onServerProgram("azure/mount-share.sh"),
        parameters: { SHARED_SOURCE: shareSource(environment), PACKAGES: SHARE_PACKAGES.join(" ") },
        files: delivered("install-packages.sh"),
        dependsOn: [...this.network.ready, ...share, setup.command],
      });
    });
  }

  private addProxies(secrets: SecretStore): void {
    const { environment } = this;
    const { size, zones } = environment.platform.proxyServers;
    const nothing = emptyRecord(environment.application);
    const interfaces = new Map<string, string>();
    proxyPlaces(environment).forEach(({ name }, index) => {
      const zone = zoneOf(zones, "sideBySide", index);
      const machine = this.addMachine("proxy", name, index, "linux", {
        size,
        ...(zone === undefined ? {} : { zone }),
      });
      this.patching.assign(name, machine, index % 2);
      interfaces.set(name, machine.networkInterfaceId);
      new MachineSetup(this, `${name}-setup`, {
        serverName: name,
        machine,
        location: this.placement.location,
        script: onServerProgram("azure/setup-proxy.sh"),
        parameters: {
          DIRECTOR_SPEC: encodeSpec(directorSpec(environment, nothing, index)),
          ...this.certificateParameters(),
        },
        files: {
          "director.js": onServerProgram("azure/director.js"),
          ...delivered("install-packages.sh", "proxy-process.sh", "proxy-arrival.sh", "fetch-certificate.sh"),
        },
        dependsOn: [...this.network.ready, ...secrets.rights],
      });
    });
    const balancer = new LoadBalancer(this, "load-balancer", {
      ...this.placement,
      name: this.names.prefix,
      ports: this.publicPorts(),
      probePath: PROBE_PATH,
      proxies: interfaces,
    });
    this.monitoring.watchLoadBalancer(balancer.id);
    const { domain, tlsCertificate, proxyServers } = environment.platform;
    // The test runs from Azure's locations: a site that is not open to all would seem down.
    if (domain !== undefined && proxyServers.allowedSources.includes("0.0.0.0/0")) {
      const scheme = tlsCertificate === undefined ? "http" : "https";
      this.monitoring.watchSite(`${scheme}://${domain}${environment.verification.path}`);
    }
  }

  private certificateParameters(): Record<string, string> {
    const { tlsCertificate } = this.environment.platform;
    if (tlsCertificate === undefined) return {};
    return {
      TLS_CERTIFICATE: tlsCertificate,
      KEY_VAULT_HOST: keyVaultHost(this.environment),
      IDENTITY: identityId(this.environment, "proxy"),
    };
  }

  /** Runs migrations, so that the proxies, which are public, need no access to the database. */
  private addOperationsServer(): void {
    const [zone] = this.environment.platform.webServers.zones;
    const machine = this.addMachine("operations", OPERATIONS_SERVER, 0, "linux", {
      size: OPERATIONS_SIZE,
      ...(zone === undefined ? {} : { zone }),
    });
    this.patching.assign(OPERATIONS_SERVER, machine, 0);
    new MachineSetup(this, `${OPERATIONS_SERVER}-setup`, {
      serverName: OPERATIONS_SERVER,
      machine,
      location: this.placement.location,
      script: onServerProgram("azure/setup-web-server.sh"),
      parameters: { PACKAGES: OPERATIONS_PACKAGES.join(" ") },
      files: delivered("install-packages.sh"),
      dependsOn: this.network.ready,
    });
  }

  private addDatabase(): Database | undefined {
    const {
      tenantId,
      database: settings,
      protect,
      logs,
      alertEmails,
      customerKey,
    } = this.environment.platform;
    if (settings === undefined) return undefined;
    const database = new Database(this, "database", {
      ...this.placement,
      serverName: this.names.sqlServer,
      databaseName: this.names.database,
      tenantId,
      settings,
      audit: logs.audit,
      ownKey: customerKey?.version !== undefined,
      ...(alertEmails.length === 0 ? {} : { alertEmails }),
      protect,
    });
    this.addPrivateEndpoint("database", "sqlServer", database.serverId);
    this.monitoring.watchDatabase(database.databaseId);
    return database;
  }

  private addCustomerKey(
    identity: UserAssignedIdentity,
    { accountId }: ArtifactStore,
    { vaultId }: SecretStore,
    database: Database | undefined,
  ): void {
    const { name: keyName, version: keyVersion } = this.environment.platform.customerKey!;
    new CustomerKey(this, "customer-key", {
      vaultId,
      vaultHost: keyVaultHost(this.environment),
      keyName,
      storage: { accountId, identity },
      ...(database === undefined || keyVersion === undefined
        ? {}
        : { database: { serverId: database.serverId, principalId: database.principalId, keyVersion } }),
    });
  }

  private addMachine(
    role: Role,
    name: string,
    index: number,
    os: OperatingSystem,
    kind: Pick<MachineProps, "size" | "image" | "zone">,
  ): Machine {
    const { environment } = this;
    const identity = this.identities.get(role)!;
    const machine = new Machine(this, name, {
      ...this.placement,
      ...kind,
      name,
      os,
      virtualMachineName: virtualMachineName(environment, name),
      subnetId: this.network.subnetId(role),
      privateAddress: privateAddress(environment, role, index),
      identityId: identity.id,
      administrator: environment.platform.administrator,
      sshPublicKey: environment.platform.sshPublicKey,
      dependsOn: this.network.ready,
    });
    this.monitoring.watchMachine(name, machine, identity.id);
    return machine;
  }

  private addPrivateEndpoint(
    name: string,
    service: PrivateEndpointProps["service"],
    resourceId: string,
  ): PrivateEndpoint {
    return new PrivateEndpoint(this, `${name}-endpoint`, {
      ...this.placement,
      name: `${this.names.prefix}-${name}`,
      service,
      resourceId,
      subnetId: this.network.subnetId("endpoints"),
      virtualNetworkId: this.network.id,
    });
  }

  private principals(...roles: Role[]): ReadonlyMap<string, string> {
    return new Map(roles.map((role) => [role, this.identities.get(role)!.principalId]));
  }
}

/** Files that a set-up script finds in its folder. */
function delivered(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, onServerProgram(`azure/${name}`)]));
}
