/** Where releases are kept: a private, versioned container. No account keys: role assignments let identities read or publish. */
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
  /** Principal ids of the identities that download releases, by name. */
  readonly readers: ReadonlyMap<string, string>;
  /** Object ids of the identities that publish releases, such as a pipeline's. */
  readonly publishers: readonly string[];
  /** How many copies, and where. @default "ZRS" */
  readonly replication?: "ZRS" | "GZRS" | "RAGZRS";
  /** The identity that reads a customer's key, for `CustomerKey`. @default - none, Azure's own key */
  readonly keyIdentityId?: string;
  /** How long a deleted or overwritten release can be restored, in days. */
  readonly retentionDays: number;
  /** Protects the releases from deletion. */
  readonly protect: boolean;
}

/** Where releases are kept: created by this stack, or existing. */
export interface IArtifactStore {
  /** The resource id of the storage account. */
  readonly accountId: string;
}

/** An existing storage account. */
export interface ArtifactStoreAttributes {
  /** The resource id, as in `/subscriptions/.../storageAccounts/stshopreleases`. */
  readonly storageAccountId: string;
}

/** A storage account that this stack creates. For an existing one: `ArtifactStore.fromArtifactStoreAttributes`. */
export class ArtifactStore extends Construct implements IArtifactStore {
  /**
   * An existing storage account. Adds nothing to the stack, not even permissions: the account's owner must let the
   * servers' identities read the container.
   * @throws Error if the id is not that of a storage account.
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
      accountReplicationType: props.replication ?? "ZRS",
      minTlsVersion: "TLS1_2",
      httpsTrafficOnlyEnabled: true,
      allowNestedItemsToBePublic: false,
      sharedAccessKeyEnabled: false,
      defaultToOauthAuthentication: true,
      publicNetworkAccessEnabled: false,
      // Opening its public side still admits no address.
      networkRules: { defaultAction: "Deny", bypass: ["AzureServices"] },
      crossTenantReplicationEnabled: false,
      infrastructureEncryptionEnabled: true,
      allowedCopyScope: "AAD",
      blobProperties: {
        versioningEnabled: true,
        deleteRetentionPolicy: { days },
        containerDeleteRetentionPolicy: { days },
      },
      ...(props.keyIdentityId === undefined
        ? { lifecycle: { preventDestroy: protect } }
        : {
            identity: { type: "UserAssigned", identityIds: [props.keyIdentityId] },
            lifecycle: { preventDestroy: protect, ignoreChanges: ["customer_managed_key"] },
          }),
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
        // Skips the check that the principal exists: Entra may not have replicated it yet.
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
