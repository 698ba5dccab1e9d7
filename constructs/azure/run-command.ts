/**
 * One execution of a script on a virtual machine, as a managed run command. It is never updated: Azure stores a failed
 * update as done, and may not run a name a second time. So every execution has a new name.
 */
import { VirtualMachineRunCommand } from "@cdktf/provider-azurerm/lib/virtual-machine-run-command";
import { Fn } from "cdktf";
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { readFileSync } from "node:fs";
import { isSetup } from "../../configuration/azure/run-commands";
import { onServerProgram, shippedFile } from "../on-server-program";
import type { OperatingSystem } from "./machine";

export interface RunCommandProps {
  /** The execution's name. Never use it twice on a machine. */
  readonly name: string;
  readonly virtualMachineId: string;
  readonly location: string;
  readonly os: OperatingSystem;
  /** Path of a bash script (Linux) or a PowerShell script (Windows). */
  readonly script: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Linux: paths of files that the script finds in `$SERVER_FOLDER/files`, by name. @default - none */
  readonly files?: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly dependsOn: ITerraformDependable[];
  /** @default true */
  readonly needed?: boolean;
  /** Terraform's `create_before_destroy`. @default true */
  readonly createBeforeDestroy?: boolean;
}

/** Time for the VM agent before and after the script. */
const AGENT_SECONDS = 120;
/** A Windows command line has at most 32,767 characters; the agent uses few of them. */
const MAX_WINDOWS_PARAMETERS = 24_000;

/** On Linux run-command.head.sh prints this line, and only after the step's result line. */
const NAME = `strcontains(self.instance_view[0].output, format("bluegreen: %s ended with 0", self.name))`;
/** On Windows the script itself prints this line, so the result line (one JSON object with an "outcome") is checked here. */
const RESULT_AND_NAME =
  `can(regex(format("[{][^\\n]*\\"outcome\\"\\\\s*:\\\\s*\\"[^\\n]+[}]\\\\s+bluegreen: %s ended with 0", self.name), ` +
  "self.instance_view[0].output))";

export function runCommand(scope: Construct, id: string, props: RunCommandProps): VirtualMachineRunCommand {
  const { name, parameters, needed = true, createBeforeDestroy = true } = props;
  const windows = props.os === "windows";
  const again = isSetup(name) ? "Deploy base again." : "Run `bluegreen retry`: it starts a new sequence.";
  const minutes = Math.ceil((props.timeoutSeconds + AGENT_SECONDS) / 60);
  return new VirtualMachineRunCommand(scope, id, {
    name,
    virtualMachineId: props.virtualMachineId,
    location: props.location,
    source: { script: windows ? Fn.file(shippedFile(scope, props.script)) : linuxScript(scope, props) },
    parameter: windows ? windowsParameters(name, parameters) : linuxParameters(name, parameters),
    // Azure stops the script when the create timeout ends.
    timeouts: { create: `${minutes}m`, delete: "30m" },
    dependsOn: props.dependsOn,
    ...(needed ? {} : { count: 0 }),
    lifecycle: {
      createBeforeDestroy,
      // A new version of this library alone must not run a step again, and an update could not.
      ignoreChanges: ["source", "parameter", "timeouts", "tags"],
      postcondition: [
        {
          // A step's last line names it. If Azure no longer has the output, Azure's execution state decides.
          condition:
            "${try(self.instance_view[0].exit_code == 0 && " +
            `(${windows ? RESULT_AND_NAME : NAME} || ` +
            `(self.instance_view[0].output == "" && self.instance_view[0].execution_state == "Succeeded")), false)}`,
          errorMessage: `The step failed, or Azure reported an earlier one. ${again}`,
        },
      ],
    },
  });
}

/** Terraform must not interpret the files' text, so all of it comes through `file`. */
function linuxScript(scope: Construct, { script, files = {} }: RunCommandProps): string {
  const text = (path: string): string => Fn.file(shippedFile(scope, path));
  const lines = readFileSync(script, "utf8").split("\n");
  if (lines.includes("BLUEGREEN_SCRIPT")) {
    throw new Error(`${script} has a line "BLUEGREEN_SCRIPT", which ends it`);
  }
  const received = Object.entries(files).map(([name, path]) => {
    if (!/^[a-z0-9][a-z0-9.-]{0,60}$/.test(name))
      throw new Error(`"${name}" is no name for a file on a server`);
    return [`receive_file '${name}' <<'BLUEGREEN_FILE'\n`, Fn.base64gzip(text(path)), "\nBLUEGREEN_FILE\n"];
  });
  return Fn.join("", [
    text(onServerProgram("azure/run-command.head.sh")),
    ...received.flat(),
    "receive_script <<'BLUEGREEN_SCRIPT'\n",
    text(script),
    // Without a final newline, the script's last line would swallow the end marker.
    ...(lines.at(-1) === "" ? [] : ["\n"]),
    "BLUEGREEN_SCRIPT\n",
    text(onServerProgram("azure/run-command.tail.sh")),
  ]);
}

function linuxParameters(name: string, parameters: Readonly<Record<string, string>>) {
  const all = Object.entries({ STEP_NAME: name, ...parameters });
  // The provider refuses empty values, and a script may check whether a parameter was set.
  const empty = all.filter(([, value]) => value === "").map(([parameter]) => parameter);
  return [...all, ...(empty.length === 0 ? [] : [["EMPTY_PARAMETERS", empty.join(" ")] as const])]
    .filter(([, value]) => value !== "")
    .map(([parameter, value]) => ({ name: parameter, value }));
}

/** Base64, without quotes or blanks: Azure puts it on a command line. */
function windowsParameters(name: string, parameters: Readonly<Record<string, string>>) {
  const value = Buffer.from(JSON.stringify(parameters)).toString("base64");
  if (value.length > MAX_WINDOWS_PARAMETERS) {
    throw new Error(
      `the parameters take ${value.length} characters, a command line allows ${MAX_WINDOWS_PARAMETERS}`,
    );
  }
  return [
    { name: "StepName", value: name },
    { name: "Parameters", value },
  ];
}
