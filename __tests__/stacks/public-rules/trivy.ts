/** Trivy's rules. */
import {
  at,
  closed,
  eachHas,
  every,
  is,
  isAnywhere,
  isOrAbsent,
  notPassed,
  passed,
  withSetting,
} from "./rule";
import type { PublicRule } from "./rule";

/** Of files, mail, names, directories and databases. */
const SENSITIVE = [
  20, 21, 23, 25, 53, 110, 135, 139, 143, 161, 389, 636, 993, 995, 1433, 1521, 3306, 5432, 6379,
];

export const TRIVY: readonly PublicRule[] = [
  passed("AZU-0007", every("storage_container", isOrAbsent("container_access_type", "private"))),
  passed("AZU-0008", every("storage_account", is("https_traffic_only_enabled", true))),
  passed(
    "AZU-0010",
    every("storage_account", (account) =>
      [at(account, "network_rules.bypass")].flat().includes("AzureServices"),
    ),
  ),
  passed("AZU-0011", every("storage_account", is("min_tls_version", "TLS1_2", "TLS1_3"))),
  passed("AZU-0012", every("storage_account", is("network_rules.default_action", "Deny"))),
  passed("AZU-0013", every("key_vault", is("network_acls.default_action", "Deny"))),
  passed("AZU-0016", every("key_vault", is("purge_protection_enabled", true))),
  passed(
    "AZU-0018",
    every("mssql_server_security_alert_policy", (policy) => at(policy, "email_addresses.0") !== undefined),
  ),
  passed("AZU-0022", every("mssql_server", is("public_network_access_enabled", false))),
  passed("AZU-0023", every("mssql_server_security_alert_policy", is("email_account_admins", true))),
  passed(
    "AZU-0025",
    every(
      "mssql_server_extended_auditing_policy",
      ({ retention_in_days: days = 0 }) => [0, undefined].includes(Number(days)) || Number(days) >= 90,
    ),
  ),
  passed("AZU-0026", every("mssql_server", is("minimum_tls_version", "1.2", "1.3"))),
  passed("AZU-0027", eachHas("mssql_server", "mssql_server_extended_auditing_policy", "server_id")),
  passed(
    "AZU-0028",
    every("mssql_server_security_alert_policy", (policy) => at(policy, "disabled_alerts.0") === undefined),
  ),
  passed(
    "AZU-0037",
    every(["linux_virtual_machine", "windows_virtual_machine"], (machine) => !("custom_data" in machine)),
  ),
  passed("AZU-0039", every("linux_virtual_machine", is("disable_password_authentication", true))),
  notPassed(
    "AZU-0047",
    every("network_security_rule", (rule) => isInnocent(rule, "Inbound") || !isAnywhere(rule, "source")),
  ),
  passed("AZU-0048", closed(3389)),
  passed("AZU-0050", closed(22)),
  notPassed(
    "AZU-0051",
    every(
      "network_security_rule",
      (rule) => isInnocent(rule, "Outbound") || !isAnywhere(rule, "destination"),
    ),
  ),
  passed(
    "AZU-0056",
    every(
      "storage_account",
      (account) => Number(at(account, "blob_properties.delete_retention_policy.days")) > 0,
    ),
  ),
  notPassed(
    "AZU-0057",
    every("storage_account", (account) => at(account, "queue_properties.logging") !== undefined),
  ),
  withSetting(
    "AZU-0058",
    "platform.storage.replication",
    { storage: { replication: "RAGZRS" } },
    every("storage_account", is("account_replication_type", "GRS", "RAGRS", "GZRS", "RAGZRS")),
  ),
  passed("AZU-0059", every("storage_account", is("https_traffic_only_enabled", true))),
  withSetting(
    "AZU-0060",
    "platform.customerKey",
    { customerKey: { name: "artifacts" } },
    eachHas("storage_account", "storage_account_customer_managed_key", "storage_account_id"),
  ),
  passed("AZU-0061", every("storage_account", is("infrastructure_encryption_enabled", true))),
  notPassed(
    "AZU-0068",
    eachHas("network_interface", "network_interface_security_group_association", "network_interface_id"),
  ),
  passed("AZU-0074", closed(...SENSITIVE)),
  passed("AZU-0075", every("network_interface", isOrAbsent("ip_forwarding_enabled", false))),
  passed(
    "AZU-0076",
    every("network_interface", (nic) => at(nic, "ip_configuration.0.public_ip_address_id") === undefined),
  ),
];

function isInnocent(rule: Readonly<Record<string, unknown>>, direction: string): boolean {
  return rule["access"] !== "Allow" || rule["direction"] !== direction;
}
