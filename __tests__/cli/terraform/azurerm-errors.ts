/**
 * Errors of the azurerm provider about run commands, as 4.55.0, 4.81.0 and 5.2.0 wrote them: what Terraform prints as a
 * diagnostic's summary. The formats are the providers' own; only names and what the step printed vary.
 */
const SERVER =
  "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-socialgoal-sim/providers/Microsoft.Compute/virtualMachines/vm-socialgoal-sim-web-1";

export const commandId = (name: string): string => `${SERVER}/runCommands/${name}`;

/** The providers whose texts are here. */
export const AZURERM = ["4.55.0", "4.81.0", "5.2.0"] as const;
export type Azurerm = (typeof AZURERM)[number];

const resource = (name: string): string =>
  `Virtual Machine Run Command (Subscription: "00000000-0000-0000-0000-000000000000"
Resource Group Name: "rg-socialgoal-sim"
Virtual Machine Name: "vm-socialgoal-sim-web-1"
Run Command Name: "${name}")`;

const doing = (version: Azurerm, name: string): string =>
  version === "4.55.0" ? "running the command" : `creating ${resource(name)}: polling after CreateOrUpdate`;

/** A command that failed. @param message Azure's, with what the step wrote to stderr. */
export function commandFailed(version: Azurerm, name: string, message: string): string {
  const answer = { status: "Failed", error: { code: "VMExtensionProvisioningError", message } };
  return `${doing(version, name)}: polling failed: the Azure API returned the following error:

Status: "VMExtensionProvisioningError"
Code: ""
Message: ${JSON.stringify(message)}
Activity Id: ""

---

API Response:

----[start]----
${JSON.stringify(answer)}
-----[end]-----
`;
}

/** Azure did not take the command. */
export function commandRefused(name: string, status: string, message: string): string {
  return `creating ${resource(name)}: unexpected status ${status} with error: Conflict: ${message}`;
}

/** The time for the command ended before the command did. */
export function commandHung(version: Azurerm, name: string): string {
  return `${doing(version, name)}: context deadline exceeded`;
}

/** A command of this name is on the server, but not in the state. The same text with all three. */
export function commandExists(name: string): string {
  return `A resource with the ID "${commandId(name)}" already exists - to be managed via Terraform this resource needs to be imported into the State. Please see the resource documentation for "azurerm_virtual_machine_run_command" for more information.`;
}
