/**
 * A server that is a folder on this machine. Its run commands are `terraform_data` resources, which are built
 * into Terraform: so a whole release needs no provider and no cloud. Only the name decides whether a step runs:
 * Terraform does not compare what a provisioner is given.
 */
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { onServerProgram, shippedFile } from "../on-server-program";
import { requireRunName } from "../server";
import type { RunProps, Server } from "../server";
import { projectFromStack } from "../project-path";
import { TerraformData } from "../terraform-data";

/** What {@link LocalServer} is known by. */
export interface LocalServerProps {
  /** The server's name in its environment. It is in the steps' Terraform addresses. */
  readonly name: string;
  /** The server's folder, relative to the project. */
  readonly folder: string;
}

/** See {@link LocalServerProps}: a folder is all that a local server is. */
export type LocalServerAttributes = LocalServerProps;

export class LocalServer implements Server {
  /**
   * A folder that is there already, as a server: `LocalWebServer` made it, or somebody else. Adds nothing to the stack
   * until something runs on it. A folder that is missing is refused when a step runs.
   */
  static fromServerAttributes(scope: Construct, id: string, attributes: LocalServerAttributes): LocalServer {
    // Takes the id, as an imported resource does: two of one name in one scope are somebody's mistake.
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
