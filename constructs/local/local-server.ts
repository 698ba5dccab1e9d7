/**
 * A server that is a folder on this machine. Its run commands are `terraform_data` resources, which are built into
 * Terraform, so a release needs no provider and no cloud. Only its name decides whether a step runs: Terraform does not
 * compare a provisioner's arguments.
 */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { onServerProgram, shippedFile } from "../on-server-program";
import { requireRunName } from "../server";
import type { RunProps, Server } from "../server";
import { projectFromStack } from "../project-path";
import { TerraformData } from "../terraform-data";

/** The attributes of a {@link LocalServer}. */
export interface LocalServerProps {
  /** The server's name in its environment. It is in the steps' Terraform addresses. */
  readonly name: string;
  /** The server's folder, relative to the project. */
  readonly folder: string;
}

/** The same as {@link LocalServerProps}: a local server is only a folder. */
export type LocalServerAttributes = LocalServerProps;

export class LocalServer implements Server {
  /**
   * An existing folder as a server, such as that of a `LocalWebServer`. Adds nothing to the stack until something runs on
   * it. A missing folder is refused when a step runs.
   */
  static fromServerAttributes(scope: Construct, id: string, attributes: LocalServerAttributes): LocalServer {
    // Reserves the id: a second construct of this name in this scope is a mistake.
    new Construct(scope, id);
    return new LocalServer(attributes);
  }

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
