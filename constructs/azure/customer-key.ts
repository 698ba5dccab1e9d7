/**
 * Encrypts the artifact store and the database with a key of yours in the environment's Key Vault. The key is created by
 * hand: the vault has no public side, so Terraform can't reach its content.
 */
import { MssqlServerTransparentDataEncryption } from "@cdktf/provider-azurerm/lib/mssql-server-transparent-data-encryption";
import { RoleAssignment } from "@cdktf/provider-azurerm/lib/role-assignment";
import { StorageAccountCustomerManagedKeyA } from "@cdktf/provider-azurerm/lib/storage-account-customer-managed-key";
import type { UserAssignedIdentity } from "@cdktf/provider-azurerm/lib/user-assigned-identity";
import { Construct } from "constructs";
import { inNamesOf5 } from "./azurerm";

export interface CustomerKeyProps {
  readonly vaultId: string;
  /** As in "kv-shop-prod.vault.azure.net". */
  readonly vaultHost: string;
  readonly keyName: string;
  readonly storage: { readonly accountId: string; readonly identity: UserAssignedIdentity };
  /** @default - the database keeps Azure's key */
  readonly database?: {
    readonly serverId: string;
    readonly principalId: string;
    readonly keyVersion: string;
  };
}

export class CustomerKey extends Construct {
  constructor(scope: Construct, id: string, props: CustomerKeyProps) {
    super(scope, id);
    const { vaultId, vaultHost, keyName, storage, database } = props;
    const mayUseKey = (name: string, principalId: string) =>
      new RoleAssignment(this, `right-${name}`, {
        scope: `${vaultId}/keys/${keyName}`,
        roleDefinitionName: "Key Vault Crypto Service Encryption User",
        principalId,
        principalType: "ServicePrincipal",
      });
    const key = new StorageAccountCustomerManagedKeyA(this, "storage", {
      storageAccountId: storage.accountId,
      keyVaultId: vaultId,
      keyName,
      userAssignedIdentityId: storage.identity.id,
      dependsOn: [mayUseKey("storage", storage.identity.principalId)],
    });
    // Without a version: Azure follows the newest one.
    inNamesOf5(key, { key_vault_key_id: `https://${vaultHost}/keys/${keyName}` });
    if (database === undefined) return;
    new MssqlServerTransparentDataEncryption(this, "database", {
      serverId: database.serverId,
      keyVaultKeyId: `https://${vaultHost}/keys/${keyName}/${database.keyVersion}`,
      dependsOn: [mayUseKey("database", database.principalId)],
    });
  }
}
