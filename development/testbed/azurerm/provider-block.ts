/** The configuration of the provider itself, as far as the stacks write it. */
import type { Attribute, Block, Nested } from "./schema";

const optional = (name: string, type: Attribute["type"]): Attribute => ({ name, type, presence: "optional" });
const list = (name: string, attributes: readonly Attribute[], blocks: readonly Nested[] = []): Nested => ({
  ...{ name, nesting: "LIST", maxItems: 1 },
  block: { attributes, blocks },
});

export const PROVIDER_BLOCK: Block = {
  attributes: [
    optional("resource_provider_registrations", "string"),
    optional("storage_use_azuread", "bool"),
    optional("subscription_id", "string"),
    optional("tenant_id", "string"),
  ],
  blocks: [
    list(
      "features",
      [optional("persist_id_on_create_before_polling_for_completion", "bool")],
      [
        list("key_vault", [
          optional("purge_soft_delete_on_destroy", "bool"),
          optional("recover_soft_deleted_key_vaults", "bool"),
        ]),
        list("storage", [optional("data_plane_available", "bool")]),
      ],
    ),
  ],
};
