/**
 * A custom server, reached by any command that runs a bash script from stdin on it, such as
 * `["ssh", "-o", "BatchMode=yes", "deploy@10.0.0.4", "bash -s"]` or `["docker", "exec", "-i", "web-1", "bash", "-s"]`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ITerraformDependable } from "cdktf";
import { requireRunName, shippedFile, TerraformData } from "cdktf-bluegreen";
import type { RunProps, Server } from "cdktf-bluegreen";
import type { Construct } from "constructs";

export interface RemoteServerProps {
  readonly name: string;
  /** The command and its arguments, without a shell. It is in the plan and in the state: no passwords. */
  readonly runner: readonly string[];
  /** An absolute folder on the server, for this application only. */
  readonly folder: string;
}

export class RemoteServer implements Server {
  readonly name: string;

  constructor(private readonly props: RemoteServerProps) {
    this.name = props.name;
  }

  run(scope: Construct, id: string, props: RunProps): ITerraformDependable {
    requireRunName(props.name);
    const parameters = {
      ...props.parameters,
      SERVER_NAME: this.name,
      SERVER_FOLDER: this.props.folder,
      STEP_NAME: props.name,
      STEP_SECONDS: String(props.timeoutSeconds),
      STEP_SCRIPT: base64(readFileSync(props.script, "utf8")),
    };
    const { needed = true } = props;
    return new TerraformData(scope, id, {
      // The name alone decides whether the step runs: Terraform does not compare provisioners.
      triggersReplace: props.name,
      provisioners: [
        {
          type: "local-exec",
          interpreter: ["bash", shippedFile(scope, join(__dirname, "run-remote.sh"))],
          command: props.name,
          environment: {
            REMOTE_SCRIPT: shippedFile(scope, join(__dirname, "on-remote.sh")),
            // base64: neither Terraform (`${`) nor a shell interprets it.
            RUNNER: base64(this.props.runner.map((word) => `${word}\0`).join("")),
            PARAMETERS: base64(Object.entries(parameters).map(assignment).join("")),
          },
        },
      ],
      dependsOn: props.dependsOn,
      lifecycle: { createBeforeDestroy: true },
      // A step that this record does not need stays in the graph.
      ...(needed ? {} : { count: 0 }),
    });
  }
}

function assignment([name, value]: [string, string]): string {
  if (!/^[A-Z][A-Z0-9_]*$/.test(name))
    throw new Error(`'parameters' has the invalid name ${JSON.stringify(name)}`);
  return `${name}='${value.replaceAll("'", `'\\''`)}'\n`;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
