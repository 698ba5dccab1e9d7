# The base stack as the provider sees it: with its schema and its validation, but without Azure. Only planned: what is
# protected from destruction can't be taken down again after an apply.

mock_provider "azurerm" {}

run "base_is_planned" {
  command = plan

  assert {
    condition     = azurerm_storage_account.artifacts_7424475B.shared_access_key_enabled == false
    error_message = "the artifact store has keys"
  }
  assert {
    condition     = azurerm_storage_account.artifacts_7424475B.public_network_access_enabled == false
    error_message = "the artifact store is public"
  }
  assert {
    condition     = azurerm_storage_account.artifacts_7424475B.min_tls_version == "TLS1_2"
    error_message = "the artifact store takes old TLS"
  }
  assert {
    condition     = azurerm_storage_account.artifacts_7424475B.blob_properties[0].versioning_enabled
    error_message = "releases can be overwritten for good"
  }
  assert {
    condition = alltrue([
      azurerm_key_vault.secrets_E5A2BDAA.rbac_authorization_enabled,
      azurerm_key_vault.secrets_E5A2BDAA.purge_protection_enabled,
      !azurerm_key_vault.secrets_E5A2BDAA.public_network_access_enabled,
    ])
    error_message = "the Key Vault is open"
  }
  assert {
    condition = toset(azurerm_network_security_rule.network_nsg-web-proxies_945A7E12.destination_port_ranges) == (
      azurerm_resource_group.group.name == "rg-socialgoal-prod" ? toset(["8080"]) : toset(["8080", "8081"])
    )
    error_message = "the proxies reach other ports than the slots'"
  }
  assert {
    condition     = azurerm_network_security_rule.network_nsg-web-deny_A9063DC0.access == "Deny"
    error_message = "machines of the network reach the web servers"
  }
  assert {
    condition     = azurerm_subnet.network_subnet-web_DE9284C1.default_outbound_access_enabled == false
    error_message = "web servers leave by Azure's default way"
  }
  assert {
    condition     = azurerm_network_interface.web-1_nic_5441C85E.ip_configuration[0].private_ip_address == "10.20.1.11"
    error_message = "web-1 has another address than the web stack believes"
  }
  assert {
    condition     = azurerm_lb_probe.load-balancer_probe_27D24E40.request_path == "/proxy-healthz"
    error_message = "the load balancer asks a slot"
  }
  assert {
    condition = alltrue([
      azurerm_linux_virtual_machine.proxy-1_6F01E083.encryption_at_host_enabled,
      azurerm_linux_virtual_machine.proxy-1_6F01E083.secure_boot_enabled,
      azurerm_linux_virtual_machine.proxy-1_6F01E083.disable_password_authentication,
    ])
    error_message = "proxy-1 is not locked down"
  }
}
