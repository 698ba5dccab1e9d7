/**
 * Installs what a machine needs for its role: once, and again when that changes or the machine is replaced. Releases
 * change none of it.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { machineFolder } from "../../configuration/azure/azure-names";
import { SETUP_PREFIX } from "../../configuration/azure/run-commands";
import type { IMachine } from "./machine";
import { runCommand } from "./run-command";

export interface MachineSetupProps {
  readonly serverName: string;
  readonly machine: IMachine;
  readonly location: string;
  /** Path of the script. */
  readonly script: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Linux: paths of further files, by name. @default - none */
  readonly files?: Readonly<Record<string, string>>;
  readonly dependsOn: ITerraformDependable[];
}

/** Package mirrors and the Windows component store may be slow. */
const SETUP_SECONDS = 1800;

export class MachineSetup extends Construct {
  readonly command: ITerraformDependable;

  constructor(scope: Construct, id: string, props: MachineSetupProps) {
    super(scope, id);
    const { machine, serverName, script, parameters, files = {} } = props;
    this.command = runCommand(this, "Resource", {
      name: `${SETUP_PREFIX}${digest(script, parameters, files)}-${machine.generation}`,
      virtualMachineId: machine.id,
      location: props.location,
      os: machine.os,
      script,
      parameters: { ...parameters, SERVER_NAME: serverName, SERVER_FOLDER: machineFolder(machine.os) },
      files,
      timeoutSeconds: SETUP_SECONDS,
      dependsOn: props.dependsOn,
      // The machine is in this stack: createBeforeDestroy would apply to it, too.
      createBeforeDestroy: false,
    });
  }
}

function digest(
  script: string,
  parameters: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>>,
): string {
  const hash = createHash("sha256").update(readFileSync(script));
  for (const [name, value] of Object.entries(parameters)) hash.update(`\0${name}=${value}`);
  for (const [name, path] of Object.entries(files)) hash.update(`\0${name}\0`).update(readFileSync(path));
  return hash.digest("hex").slice(0, 10);
}
