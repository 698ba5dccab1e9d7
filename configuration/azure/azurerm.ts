/**
 * Terraform's provider for Azure, by version: which versions the stacks support, and what differs between them. Nothing
 * else compares a version of azurerm.
 */
import { matches } from "../../release/patterns";

/** Of the bindings that this package is built with: the provider of stacks that choose none. */
export const DEFAULT_AZURERM = "4.55.0";
/** The whole story was run with these. Others in the range are accepted, and `doctor` says so. */
export const TESTED_AZURERM: readonly string[] = [DEFAULT_AZURERM, "4.81.0", "5.2.0"];

/** 4.55.0 is the first with all arguments of the stacks, 6.0 is not known. */
export const AzurermVersion = matches(
  /^(4\.(5[5-9]|[6-9]\d|\d{3})|5\.\d{1,3})\.\d{1,3}$/,
  `exact version of the azurerm provider from 4.55.0 to 5.x, as in "4.81.0"`,
);

/**
 * What 5.0 renamed of the arguments that the stacks use, by resource type: the new name, and those that it replaces.
 * Source: the provider's 5.0 upgrade guide, and its schemas.
 */
export const RENAMED_IN_5: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  azurerm_application_insights: { local_authentication_enabled: ["local_authentication_disabled"] },
  azurerm_mssql_server_security_alert_policy: { email_account_admins_enabled: ["email_account_admins"] },
  azurerm_private_dns_zone_virtual_network_link: {
    private_dns_zone_id: ["private_dns_zone_name", "resource_group_name"],
  },
  azurerm_storage_account_customer_managed_key: { key_vault_key_id: ["key_vault_id", "key_name"] },
};

/** This one knows the new names only, earlier ones the former names only. */
export function hasNamesOf5(version: string): boolean {
  return isAtLeast(version, 5, 0);
}

/**
 * From 4.75 on a failed create stays in the state only with the feature `persist_id_on_create_before_polling_for_completion`.
 * Without it a failed step's last words are lost, and its run command stays on the server, unknown to any state. Earlier
 * versions keep it, and refuse the feature.
 */
export function needsPersistedIds(version: string): boolean {
  return isAtLeast(version, 4, 75);
}

/** @returns a sentence for a version in the range that the story was not run with; null for the others. */
export function untested(version: string): string | null {
  if (TESTED_AZURERM.includes(version)) return null;
  return `azurerm ${version}; everything was run with ${TESTED_AZURERM.join(", ")}`;
}

/** 5.0 stops every command if this variable is set. Earlier ones read it. */
export const ENHANCED_VALIDATION = "ARM_PROVIDER_ENHANCED_VALIDATION";

/** @returns what to do about {@link ENHANCED_VALIDATION} in these variables; null if it does no harm. */
export function enhancedValidationAdvice(
  version: string,
  variables: Readonly<Record<string, string | undefined>>,
): string | null {
  if (!hasNamesOf5(version) || (variables[ENHANCED_VALIDATION] ?? "") === "") return null;
  return `${ENHANCED_VALIDATION} is set, with which azurerm ${version} stops every command: unset it, for 5.x lists no resource providers unless it is asked to`;
}

/** The versions of the schemas that the stacks' resources have in a state which 5.x wrote; in one of 4.x they are lower. */
const SCHEMAS_OF_5: Readonly<Record<string, number>> = { azurerm_storage_container: 2 };

/** Whether azurerm 5.x wrote this object of a state: then 4.x refuses the whole state. */
export function isOf5(type: string, schemaVersion: number): boolean {
  return schemaVersion >= (SCHEMAS_OF_5[type] ?? Infinity);
}

/** For a state that 5.x wrote, with an older provider. */
export function olderProvider(version: string): string {
  return `azurerm 5.x wrote the state of base, and ${version} refuses it ("managed by newer provider version"): set platform.provider to that version again, as in "5.2.0"; there is no way back but a backup of the state`;
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [one = 0, two = 0] = version.split(".").map(Number);
  return one > major || (one === major && two >= minor);
}
