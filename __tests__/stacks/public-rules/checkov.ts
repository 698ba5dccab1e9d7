/** Checkov's rules. */
import { eachHas, every, closed, is, isAnywhere, isOrAbsent } from "./rule";
import { at, notPassed, passed, SUBNETS_HAVE_GROUPS, withSetting } from "./rule";
import type { PublicRule } from "./rule";

const MACHINES = ["linux_virtual_machine", "windows_virtual_machine"];
const PUBLIC_ADDRESS = (nic: Record<string, unknown>) =>
  (nic["ip_configuration"] as readonly Record<string, unknown>[]).some(
    (each) => each["public_ip_address_id"] !== undefined,
  );
const KEY = { customerKey: { name: "artifacts" } };

export const CHECKOV: readonly PublicRule[] = [
  passed("CKV_AZURE_1", every("linux_virtual_machine", is("disable_password_authentication", true))),
  passed("CKV_AZURE_3", every("storage_account", isOrAbsent("enable_https_traffic_only", true))),
  passed("CKV_AZURE_9", closed(3389)),
  passed("CKV_AZURE_10", closed(22)),
  passed("CKV_AZURE_23", eachHas("mssql_server", "mssql_server_extended_auditing_policy", "server_id")),
  notPassed(
    "CKV_AZURE_24",
    every("mssql_server_extended_auditing_policy", (policy) => Number(policy["retention_in_days"]) >= 90),
  ),
  passed(
    "CKV_AZURE_25",
    every("mssql_server_security_alert_policy", (policy) => at(policy, "disabled_alerts.0") === undefined),
  ),
  passed(
    "CKV_AZURE_26",
    every("mssql_server_security_alert_policy", (policy) => at(policy, "email_addresses.0") !== undefined),
  ),
  passed("CKV_AZURE_27", every("mssql_server_security_alert_policy", is("email_account_admins", true))),
  notPassed(
    "CKV_AZURE_33",
    every("storage_account", (account) => at(account, "queue_properties.logging.read") === true),
  ),
  {
    id: "CKV_AZURE_34",
    claim: "false alarm",
    holds: every("storage_container", is("container_access_type", "private")),
  },
  passed("CKV_AZURE_35", every("storage_account", is("network_rules.default_action", "Deny"))),
  passed(
    "CKV_AZURE_36",
    every("storage_account", (account) =>
      [at(account, "network_rules.bypass")].flat().includes("AzureServices"),
    ),
  ),
  passed("CKV_AZURE_42", every("key_vault", is("purge_protection_enabled", true))),
  passed(
    "CKV_AZURE_43",
    every("storage_account", (account) => /^[a-z0-9]{3,24}$/.test(String(account["name"]))),
  ),
  passed("CKV_AZURE_44", every("storage_account", is("min_tls_version", "TLS1_2"))),
  notPassed("CKV_AZURE_50", every(MACHINES, is("allow_extension_operations", false))),
  passed("CKV_AZURE_52", every("mssql_server", is("minimum_tls_version", "1.2", "1.3"))),
  passed("CKV_AZURE_59", every("storage_account", is("public_network_access_enabled", false))),
  passed(
    "CKV_AZURE_77",
    every(
      "network_security_rule",
      (rule) =>
        rule["access"] !== "Allow" ||
        rule["direction"] !== "Inbound" ||
        rule["protocol"] !== "Udp" ||
        !isAnywhere(rule, "source"),
    ),
  ),
  passed(
    "CKV_AZURE_92",
    every(MACHINES, (machine) => !("vhd_uri" in machine) && "os_disk" in machine),
  ),
  passed("CKV_AZURE_109", every("key_vault", is("network_acls.default_action", "Deny"))),
  passed("CKV_AZURE_110", every("key_vault", is("purge_protection_enabled", true))),
  passed("CKV_AZURE_111", every("key_vault", isOrAbsent("soft_delete_enabled", true))),
  passed("CKV_AZURE_113", every("mssql_server", is("public_network_access_enabled", false))),
  passed("CKV_AZURE_118", every("network_interface", isOrAbsent("ip_forwarding_enabled", false))),
  passed(
    "CKV_AZURE_119",
    every("network_interface", (nic) => !PUBLIC_ADDRESS(nic)),
  ),
  passed("CKV_AZURE_149", every("linux_virtual_machine", is("disable_password_authentication", true))),
  passed("CKV_AZURE_151", every("windows_virtual_machine", is("encryption_at_host_enabled", true))),
  notPassed("CKV_AZURE_160", closed(80)),
  passed("CKV_AZURE_177", every("windows_virtual_machine", is("automatic_updates_enabled", true))),
  passed(
    "CKV_AZURE_178",
    every("linux_virtual_machine", (machine) => at(machine, "admin_ssh_key.0.public_key") !== undefined),
  ),
  passed("CKV_AZURE_179", every(MACHINES, is("provision_vm_agent", true))),
  passed(
    "CKV_AZURE_182",
    every("virtual_network", (network) => !("dns_servers" in network)),
  ),
  passed(
    "CKV_AZURE_183",
    every("virtual_network", (network) => !("dns_servers" in network)),
  ),
  passed("CKV_AZURE_189", every("key_vault", is("public_network_access_enabled", false))),
  passed("CKV_AZURE_190", every("storage_account", is("allow_nested_items_to_be_public", false))),
  withSetting(
    "CKV_AZURE_206",
    "platform.storage.replication",
    { storage: { replication: "GZRS" } },
    every("storage_account", is("account_replication_type", "GRS", "RAGRS", "GZRS", "RAGZRS")),
  ),
  withSetting(
    "CKV_AZURE_224",
    "platform.database.ledger",
    { database: { ledger: true } },
    every("mssql_database", is("ledger_enabled", true)),
  ),
  withSetting(
    "CKV_AZURE_229",
    "platform.database.zoneRedundant",
    { database: { zoneRedundant: true, sku: "GP_Gen5_2" } },
    every("mssql_database", is("zone_redundant", true)),
  ),
  passed(
    "CKV_AZURE_244",
    every(
      "storage_account",
      (account) => account["is_hns_enabled"] !== true && !account["local_user_enabled"],
    ),
  ),
  withSetting(
    "CKV2_AZURE_1",
    "platform.customerKey",
    KEY,
    eachHas("storage_account", "storage_account_customer_managed_key", "storage_account_id"),
  ),
  passed(
    "CKV2_AZURE_2",
    eachHas("mssql_server", "mssql_server_security_alert_policy", "server_name", is("state", "Enabled")),
  ),
  passed("CKV2_AZURE_8", every("storage_container", isOrAbsent("container_access_type", "private"))),
  notPassed(
    "CKV2_AZURE_21",
    eachHas("storage_account", "log_analytics_storage_insights", "storage_account_id"),
  ),
  passed("CKV2_AZURE_25", every("mssql_database", isOrAbsent("transparent_data_encryption_enabled", true))),
  passed(
    "CKV2_AZURE_27",
    every("mssql_server", (server) => at(server, "azuread_administrator.object_id") !== undefined),
  ),
  passed("CKV2_AZURE_31", SUBNETS_HAVE_GROUPS),
  passed(
    "CKV2_AZURE_32",
    eachHas("key_vault", "private_endpoint", "private_service_connection.private_connection_resource_id"),
  ),
  passed(
    "CKV2_AZURE_33",
    eachHas(
      "storage_account",
      "private_endpoint",
      "private_service_connection.private_connection_resource_id",
    ),
  ),
  passed(
    "CKV2_AZURE_38",
    every(
      "storage_account",
      (account) => Number(at(account, "blob_properties.delete_retention_policy.days")) > 0,
    ),
  ),
  passed(
    "CKV2_AZURE_39",
    every("network_interface", (nic) => !PUBLIC_ADDRESS(nic)),
  ),
  passed("CKV2_AZURE_40", every("storage_account", is("shared_access_key_enabled", false))),
  passed("CKV2_AZURE_41", every("storage_account", is("shared_access_key_enabled", false))),
  passed(
    "CKV2_AZURE_45",
    eachHas("mssql_server", "private_endpoint", "private_service_connection.private_connection_resource_id"),
  ),
  passed("CKV2_AZURE_47", every("storage_account", is("allow_nested_items_to_be_public", false))),
];
