/**
 * The share for `storage.shared` on Linux: an NFS share of Azure Files, in an account of its own. Nobody logs in to it: who
 * reaches its private endpoint may mount it, and that are the web servers. docs/azure-rules.md has the rules that it is an
 * exception from.
 */
import { ManagementLock } from "@cdktf/provider-azurerm/lib/management-lock";
import { StorageAccount } from "@cdktf/provider-azurerm/lib/storage-account";
import { StorageShare } from "@cdktf/provider-azurerm/lib/storage-share";
import { Construct } from "constructs";
import type { Placement } from "./placement";

export interface SharedStorageProps extends Placement {
  readonly accountName: string;
  readonly shareName: string;
  /** What is paid for, in GiB. */
  readonly sizeGb: number;
  /** How long a deleted share can be restored, in days. */
  readonly retentionDays: number;
  /** Protects the files from deletion. */
  readonly protect: boolean;
}

export class SharedStorage extends Construct {
  readonly accountId: string;
  readonly share: StorageShare;

  constructor(scope: Construct, id: string, props: SharedStorageProps) {
    super(scope, id);
    const { resourceGroupName, location, tags, protect } = props;
    const account = new StorageAccount(this, "Resource", {
      resourceGroupName,
      location,
      tags,
      name: props.accountName,
      // NFS is there on premium accounts only, which have LRS and ZRS.
      accountKind: "FileStorage",
      accountTier: "Premium",
      accountReplicationType: "ZRS",
      minTlsVersion: "TLS1_2",
      // With it Azure refuses NFS, which has no TLS of its own. No connection leaves the network.
      httpsTrafficOnlyEnabled: false,
      allowNestedItemsToBePublic: false,
      sharedAccessKeyEnabled: false,
      defaultToOauthAuthentication: true,
      publicNetworkAccessEnabled: false,
      networkRules: { defaultAction: "Deny", bypass: ["AzureServices"] },
      crossTenantReplicationEnabled: false,
      infrastructureEncryptionEnabled: true,
      allowedCopyScope: "AAD",
      shareProperties: { retentionPolicy: { days: props.retentionDays } },
      lifecycle: { preventDestroy: protect },
    });
    this.share = new StorageShare(this, "share", {
      // By its id: then the share is managed by Azure Resource Manager, as the account's own side is closed.
      storageAccountId: account.id,
      name: props.shareName,
      enabledProtocol: "NFS",
      quota: props.sizeGb,
      lifecycle: { preventDestroy: protect },
    });
    if (protect) {
      new ManagementLock(this, "lock", {
        scope: account.id,
        name: "keep-shared-files",
        lockLevel: "CanNotDelete",
        notes: "What users uploaded is here. Set platform.protect to false to remove this lock.",
      });
    }
    this.accountId = account.id;
  }
}
