# The web stack of __tests__/terraform/record.json as the provider sees it, planned and applied without Azure. The steps
# named here are those that the shipped environments have in common.

mock_provider "azurerm" {
  mock_resource "azurerm_virtual_machine_run_command" {
    defaults = {
      instance_view = [{
        exit_code       = 0
        execution_state = "Succeeded"
        error_message   = ""
        start_time      = ""
        end_time        = ""
        # Every step's last line: which of them it is, is the step's own name to say.
        output = <<-OUTPUT
          bluegreen: begin-1-726b634b ended with 0
          bluegreen: install-blue-1.0.0-1 ended with 0
          bluegreen: empty-green-1 ended with 0
          bluegreen: switch-1-726b634b ended with 0
        OUTPUT
      }]
    }
  }
}

run "steps_have_their_names" {
  command = plan

  assert {
    condition = alltrue([
      for name in [
        azurerm_virtual_machine_run_command.begin-proxy-1.name,
        azurerm_virtual_machine_run_command.begin-proxy-2.name,
      ] : name == "begin-1-726b634b"
    ])
    error_message = "begin has another name"
  }
  assert {
    condition     = azurerm_virtual_machine_run_command.install-blue-web-1.name == "install-blue-1.0.0-1"
    error_message = "the release is not installed into blue"
  }
  assert {
    condition     = azurerm_virtual_machine_run_command.install-green-web-2.name == "empty-green-1"
    error_message = "green is not emptied"
  }
  assert {
    condition = alltrue([
      for name in [
        azurerm_virtual_machine_run_command.switch-proxy-1.name,
        azurerm_virtual_machine_run_command.switch-proxy-2.name,
      ] : name == "switch-1-726b634b"
    ])
    error_message = "switch has another name"
  }
  assert {
    condition = 0 == sum([
      length(azurerm_virtual_machine_run_command.converge-blue-web-1),
      length(azurerm_virtual_machine_run_command.converge-green-web-2),
      length(azurerm_virtual_machine_run_command.share-proxy-1),
      length(azurerm_virtual_machine_run_command.share-proxy-2),
    ])
    error_message = "a step runs that the record does not need"
  }
  assert {
    condition = can(regex(
      "/Microsoft.Compute/virtualMachines/vm-socialgoal-(linux|prod)-web-1$",
      azurerm_virtual_machine_run_command.install-blue-web-1.virtual_machine_id,
    ))
    error_message = "the release goes to another machine"
  }
}

run "a_release_where_every_step_ends_well" {
  command   = apply
  state_key = "well"
}

run "a_release_of_which_azure_kept_no_output" {
  command   = apply
  state_key = "silent"

  override_resource {
    target = azurerm_virtual_machine_run_command.switch-proxy-2
    values = { instance_view = [{ exit_code = 0, execution_state = "Succeeded", error_message = "", start_time = "", end_time = "", output = "" }] }
  }
}

run "a_step_that_reports_another_ones_end_fails" {
  command   = apply
  state_key = "another"

  override_resource {
    target = azurerm_virtual_machine_run_command.switch-proxy-2
    values = { instance_view = [{ exit_code = 0, execution_state = "Succeeded", error_message = "", start_time = "", end_time = "", output = "bluegreen: switch-0-00000000 ended with 0" }] }
  }
  expect_failures = [azurerm_virtual_machine_run_command.switch-proxy-2]
}

run "a_step_that_was_cut_off_fails" {
  command   = apply
  state_key = "cut-off"

  override_resource {
    target = azurerm_virtual_machine_run_command.install-blue-web-1
    values = { instance_view = [{ exit_code = 0, execution_state = "TimedOut", error_message = "", start_time = "", end_time = "", output = "" }] }
  }
  expect_failures = [azurerm_virtual_machine_run_command.install-blue-web-1]
}

run "a_step_that_ends_with_an_error_fails" {
  command   = apply
  state_key = "error"

  override_resource {
    target = azurerm_virtual_machine_run_command.begin-proxy-1
    values = { instance_view = [{ exit_code = 1, execution_state = "Failed", error_message = "", start_time = "", end_time = "", output = "bluegreen: begin-1-726b634b ended with 0" }] }
  }
  expect_failures = [azurerm_virtual_machine_run_command.begin-proxy-1]
}
