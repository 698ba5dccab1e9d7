/** The Key Vault for the servers' secrets: connection strings, the machine key, the certificate. */
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
  /** Principal ids of the identities that read secrets, by name. */
  readonly readers: ReadonlyMap<string, string>;
  /**
   * The names of the secrets that a reader may read, by the reader's name; they need not exist yet. A certificate's key is
   * the secret of its name.
   * @default - all in the vault
   */
  readonly secrets?: ReadonlyMap<string, readonly string[]>;
  /** Protects the vault from deletion. */
  readonly protect: boolean;
}

/** The Key Vault of an environment: created by this stack, or existing. */
export interface ISecretStore {
  /** The resource id of the vault. */
  readonly vaultId: string;
  /** The readers' role assignments. Servers that fetch a secret depend on these. */
  readonly rights: ITerraformDependable[];
}

/** An existing Key Vault. */
export interface SecretStoreAttributes {
  /** The resource id, as in `/subscriptions/.../vaults/kv-shop`. */
  readonly keyVaultId: string;
}

/** A Key Vault that this stack creates. For an existing one: `SecretStore.fromSecretStoreAttributes`. */
export class SecretStore extends Construct implements ISecretStore {
  /**
   * An existing Key Vault. Adds nothing to the stack, not even permissions: the vault's owner must let the servers'
   * identities read secrets.
   * @throws Error if the id is not that of a Key Vault.
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
  /** The readers' role assignments. Servers that fetch a secret depend on these. */
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
      // Deleted secrets can be restored; without this they could be purged.
      purgeProtectionEnabled: true,
      softDeleteRetentionDays: 90,
      publicNetworkAccessEnabled: false,
      networkAcls: { defaultAction: "Deny", bypass: "AzureServices" },
      lifecycle: { preventDestroy: protect },
    });
    this.rights = [...props.readers].map(([reader, principalId]) => {
      const secrets = props.secrets?.get(reader);
      return this.addReader(
        reader,
        principalId,
        vault.id,
        secrets?.map((secret) => `/secrets/${secret}`),
      );
    });
    this.vaultId = vault.id;
  }

  /**
   * Rights that change are given before the old ones are taken: the reader's first assignment is replaced, and depends on
   * its others. So no reader loses a secret, and if Azure refuses a new assignment, the old one stays.
   */
  private addReader(
    reader: string,
    principalId: string,
    vaultId: string,
    [first = "", ...others]: readonly string[] = [],
  ): RoleAssignment {
    const assign = (id: string, below: string, dependsOn: RoleAssignment[]) =>
      new RoleAssignment(this, id, {
        scope: `${vaultId}${below}`,
        roleDefinitionName: "Key Vault Secrets User",
        principalId,
        principalType: "ServicePrincipal",
        lifecycle: { createBeforeDestroy: true },
        ...(dependsOn.length === 0 ? {} : { dependsOn }),
      });
    const more = others.map((below) => assign(`reader-${reader}-${below.split("/").at(-1)}`, below, []));
    return assign(`reader-${reader}`, first, more);
  }
}
