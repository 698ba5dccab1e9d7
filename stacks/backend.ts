/** Configures a stack's Terraform backend. */
import { AzurermBackend, LocalBackend, TerraformBackend } from "cdktf";
import type { TerraformRemoteState, TerraformStack } from "cdktf";
import { fromStack } from "../constructs/project-path";
import type { Environment } from "../configuration/environment";
import { stateFile, workFolder } from "../configuration/naming";
import { privateOutput } from "../constructs/private-output";

export function useBackend(stack: TerraformStack, environment: Environment): void {
  const { backend, application, name } = environment;
  const id = stack.node.id;
  privateOutput(stack);
  switch (backend.kind) {
    case "local":
      privateOutput(stack, workFolder(environment));
      new LocalBackend(stack, { path: fromStack(stack, stateFile(environment, id)) });
      return;
    case "azurerm":
      new AzurermBackend(stack, {
        resourceGroupName: backend.resourceGroup,
        storageAccountName: backend.storageAccount,
        containerName: backend.container,
        key: `${application}/${name}/${id}.tfstate`,
        useAzureadAuth: true,
      });
      return;
    case "cloud":
      new CloudWorkspace(stack, {
        ...(backend.hostname === undefined ? {} : { hostname: backend.hostname }),
        organization: backend.organization,
        workspaces: {
          name: `${application}-${name}-${id}`,
          ...(backend.project === undefined ? {} : { project: backend.project }),
        },
      });
  }
}

interface CloudWorkspaceProps {
  readonly hostname?: string;
  readonly organization: string;
  readonly workspaces: { readonly name: string; readonly project?: string };
}

/**
 * The `cloud` block. Not cdktf's CloudBackend, which starts the terraform binary at synth. Still a backend: cdktf adds a
 * local one to a stack without any, and Terraform refuses both together.
 */
class CloudWorkspace extends TerraformBackend {
  constructor(
    stack: TerraformStack,
    private readonly props: CloudWorkspaceProps,
  ) {
    super(stack, "backend", "cloud");
  }

  override toTerraform(): unknown {
    return { terraform: { cloud: this.props } };
  }

  override getRemoteStateDataSource(): TerraformRemoteState {
    throw new Error("no stack reads another stack's state");
  }
}
