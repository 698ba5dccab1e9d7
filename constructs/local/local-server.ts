/**
 * A server that is a folder on this machine. Its run commands are `terraform_data` resources, which are built
 * into Terraform: so a whole release needs no provider and no cloud. Only the name decides whether a step runs:
 * Terraform does not compare what a provisioner is given.
 */
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { onServerProgram, shippedFile } from "../on-server-program";
import { requireRunName } from "../server";
import type { RunProps, Server } from "../server";
import { projectFromStack } from "./project-path";
import { TerraformData } from "../terraform-data";

export interface LocalServerProps {
  readonly name: string;
  /** The server's folder, relative to the project. */
  readonly folder: string;
}

export class LocalServer implements Server {
  readonly name: string;
  private readonly folder: string;

  constructor(props: LocalServerProps) {
    this.name = props.name;
    this.folder = props.folder;
  }

  run(scope: Construct, id: string, props: RunProps): ITerraformDependable {
    requireRunName(props.name);
    const { needed = true } = props;
    return new TerraformData(scope, id, {
      triggersReplace: props.name,
      provisioners: [
        {
          type: "local-exec",
          interpreter: ["bash", shippedFile(scope, onServerProgram("local/run-command.sh"))],
          command: props.name,
          environment: {
            ...props.parameters,
            PROJECT_FOLDER: projectFromStack(scope),
            SERVER_FOLDER: this.folder,
            SERVER_NAME: this.name,
            COMMAND_SCRIPT: shippedFile(scope, props.script),
            COMMAND_TIMEOUT_SECONDS: String(props.timeoutSeconds),
          },
        },
      ],
      dependsOn: props.dependsOn,
      lifecycle: { createBeforeDestroy: true },
      ...(needed ? {} : { count: 0 }),
    });
  }
}
