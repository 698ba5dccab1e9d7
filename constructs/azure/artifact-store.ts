/**
 * Where releases are kept: a private, versioned container. There are no account keys; who reads or publishes is a
 * role assignment.
 */
import { ManagementLock } from "@cdktf/provider-azurerm/lib/management-lock";
import { RoleAssignment } from "@cdktf/provider-azurerm/lib/role-assignment";
import { StorageAccount } from "@cdktf/provider-azurerm/lib/storage-account";
import { StorageContainer } from "@cdktf/provider-azurerm/lib/storage-container";
import { Construct } from "constructs";
import type { Placement } from "./placement";
import { requireResourceId } from "./resource-id";

/** What {@link ArtifactStore} is made of. */
export interface ArtifactStoreProps extends Placement {
  readonly accountName: string;
  readonly containerName: string;
  /** Principal ids of identities that download releases, by a name for each. */
  readonly readers: ReadonlyMap<string, string>;
  /** Object ids of who publishes releases, such as a pipeline's identity. */
  readonly publishers: readonly string[];
  /** What was deleted or overwritten can be brought back for so long. */
  readonly retentionDays: number;
  /** Keeps the releases from being destroyed. */
  readonly protect: boolean;
}

/** Where releases are kept, made by this stack or there already. */
export interface IArtifactStore {
  /** The resource id of the storage account. */
  readonly accountId: string;
}

/** A storage account that is there already. */
export interface ArtifactStoreAttributes {
  /** The resource id, as in `/subscriptions/.../storageAccounts/stshopreleases`. */
  readonly storageAccountId: string;
}

/** A storage account of this stack's own. For one that is there already: `ArtifactStore.fromArtifactStoreAttributes`. */
export class ArtifactStore extends Construct implements IArtifactStore {
  /**
   * A storage account that is there already. Adds nothing to the stack, no rights either: its owner lets the servers'
   * identities read the container.
   * @throws Error where the id is no storage account's.
   */
  static fromArtifactStoreAttributes(
    scope: Construct,
    id: string,
    { storageAccountId }: ArtifactStoreAttributes,
  ): IArtifactStore {
    requireResourceId("storageAccountId", storageAccountId, "Microsoft.Storage/storageAccounts");
    return Object.assign(new Construct(scope, id), { accountId: storageAccountId });
  }

  readonly accountId: string;

  constructor(scope: Construct, id: string, props: ArtifactStoreProps) {
    super(scope, id);
    const { resourceGroupName, location, tags, protect, retentionDays: days } = props;
    const account = new StorageAccount(this, "Resource", {
      resourceGroupName,
      location,
      tags,
      name: props.accountName,
      accountTier: "Standard",
      accountReplicationType: "ZRS",
      minTlsVersion: "TLS1_2",
      httpsTrafficOnlyEnabled: true,
      allowNestedItemsToBePublic: false,
      sharedAccessKeyEnabled: false,
      defaultToOauthAuthentication: true,
      publicNetworkAccessEnabled: false,
      crossTenantReplicationEnabled: false,
      infrastructureEncryptionEnabled: true,
      allowedCopyScope: "AAD",
      blobProperties: {
        versioningEnabled: true,
        deleteRetentionPolicy: { days },
        containerDeleteRetentionPolicy: { days },
      },
      lifecycle: { preventDestroy: protect },
    });
    const container = new StorageContainer(this, "container", {
      storageAccountId: account.id,
      name: props.containerName,
      containerAccessType: "private",
      lifecycle: { preventDestroy: protect },
    });
    const scopeOfRights = `${account.id}/blobServices/default/containers/${container.name}`;
    for (const [name, principalId] of props.readers) {
      new RoleAssignment(this, `reader-${name}`, {
        scope: scopeOfRights,
        roleDefinitionName: "Storage Blob Data Reader",
        principalId,
        // Says that it exists already, although Entra may not know it everywhere yet.
        principalType: "ServicePrincipal",
      });
    }
    for (const principalId of props.publishers) {
      new RoleAssignment(this, `publisher-${principalId}`, {
        scope: scopeOfRights,
        roleDefinitionName: "Storage Blob Data Contributor",
        principalId,
      });
    }
    if (protect) {
      new ManagementLock(this, "lock", {
        scope: account.id,
        name: "keep-releases",
        lockLevel: "CanNotDelete",
        notes: "Rollbacks install from here. Set platform.protect to false to remove this lock.",
      });
    }
    this.accountId = account.id;
  }
}
