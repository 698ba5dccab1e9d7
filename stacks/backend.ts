/** Tells Terraform where a stack's state is. */
import { LocalBackend } from "cdktf";
import type { TerraformStack } from "cdktf";
import { fromStack } from "../constructs/local/project-path";
import type { Environment } from "../release/environment";
import { stateFile } from "../release/naming";

export function useBackend(stack: TerraformStack, environment: Environment): void {
  const { backend, application, name } = environment;
  const id = stack.node.id;
  switch (backend.kind) {
    case "local":
      new LocalBackend(stack, { path: fromStack(stack, stateFile(environment, id)) });
      return;
    case "azurerm":
      stack.addOverride("terraform.backend.azurerm", {
        resource_group_name: backend.resourceGroup,
        storage_account_name: backend.storageAccount,
        container_name: backend.container,
        key: `${application}/${name}/${id}.tfstate`,
        use_azuread_auth: true,
      });
      return;
    case "cloud":
      // cdktf's CloudBackend starts the terraform binary at synth; the block is all that is needed of it.
      stack.addOverride("terraform.cloud", {
        organization: backend.organization,
        workspaces: {
          name: `${application}-${name}-${id}`,
          ...(backend.project === undefined ? {} : { project: backend.project }),
        },
      });
  }
}
