/** The Key Vault for what servers need and nobody else may see: connection strings, the machine key, the certificate. */
import { KeyVault } from "@cdktf/provider-azurerm/lib/key-vault";
import { RoleAssignment } from "@cdktf/provider-azurerm/lib/role-assignment";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { Placement } from "./placement";
import { requireResourceId } from "./resource-id";

/** What {@link SecretStore} is made of. */
export interface SecretStoreProps extends Placement {
  readonly name: string;
  readonly tenantId: string;
  /** Principal ids of identities that read secrets, by a name for each. */
  readonly readers: ReadonlyMap<string, string>;
  /** Keeps the vault from being destroyed. */
  readonly protect: boolean;
}

/** The Key Vault of an environment, made by this stack or there already. */
export interface ISecretStore {
  /** The resource id of the vault. */
  readonly vaultId: string;
  /** Servers that fetch a secret wait for these. */
  readonly rights: ITerraformDependable[];
}

/** A Key Vault that is there already. */
export interface SecretStoreAttributes {
  /** The resource id, as in `/subscriptions/.../vaults/kv-shop`. */
  readonly keyVaultId: string;
}

/** A Key Vault of this stack's own. For one that is there already: `SecretStore.fromSecretStoreAttributes`. */
export class SecretStore extends Construct implements ISecretStore {
  /**
   * A Key Vault that is there already. Adds nothing to the stack, no rights either: its owner lets the servers'
   * identities read secrets.
   * @throws Error where the id is no vault's.
   */
  static fromSecretStoreAttributes(
    scope: Construct,
    id: string,
    { keyVaultId }: SecretStoreAttributes,
  ): ISecretStore {
    requireResourceId("keyVaultId", keyVaultId, "Microsoft.KeyVault/vaults");
    return Object.assign(new Construct(scope, id), { vaultId: keyVaultId, rights: [] });
  }

  readonly vaultId: string;
  /** The readers' rights: servers that fetch a secret wait for these. */
  readonly rights: ITerraformDependable[];

  constructor(scope: Construct, id: string, props: SecretStoreProps) {
    super(scope, id);
    const { resourceGroupName, location, tags, name, tenantId, protect } = props;
    const vault = new KeyVault(this, "Resource", {
      resourceGroupName,
      location,
      tags,
      name,
      tenantId,
      skuName: "standard",
      rbacAuthorizationEnabled: true,
      // What was deleted can be brought back; a vault without this can be emptied for good.
      purgeProtectionEnabled: true,
      softDeleteRetentionDays: 90,
      publicNetworkAccessEnabled: false,
      networkAcls: { defaultAction: "Deny", bypass: "AzureServices" },
      lifecycle: { preventDestroy: protect },
    });
    this.rights = [...props.readers].map(
      ([reader, principalId]) =>
        new RoleAssignment(this, `reader-${reader}`, {
          scope: vault.id,
          roleDefinitionName: "Key Vault Secrets User",
          principalId,
          principalType: "ServicePrincipal",
        }),
    );
    this.vaultId = vault.id;
  }
}
