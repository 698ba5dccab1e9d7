/** What all commands share on the command line: the project, the output, and tools. */
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import type { Tools } from "../deployment/tools";
import { DEFAULT_ENVIRONMENT, openProject, projectFolder } from "../project/project";
import type { Project } from "../project/project";
import { createProgress, SILENT } from "../terminal/progress";
import type { Progress } from "../terminal/progress";
import { findTerraform } from "../terraform/binary";

export interface CommonOptions {
  readonly environment: string;
  readonly json?: boolean;
}

export function common(command: Command): Command {
  return command
    .option(
      "--environment <file>",
      "the environment file; BLUEGREEN_ENVIRONMENT sets another default",
      DEFAULT_ENVIRONMENT,
    )
    .option("--json", "print the result as JSON on stdout");
}

export function open({ environment }: Pick<CommonOptions, "environment">): Project {
  return openProject(projectFolder(environment), environment);
}

/** With --json there is no progress, except at a terminal. */
export function progressFor({ json }: { readonly json?: boolean }): Progress {
  return json === true && !process.stderr.isTTY ? SILENT : createProgress();
}

export async function findTools(progress: Progress): Promise<Tools> {
  return { progress, terraform: await findTerraform({ log: (line) => progress.note(line) }) };
}

/**
 * A command's options, with those given before its name: `migrations --json status` is `migrations status --json`. An
 * option after the name takes precedence, defaults come last.
 */
export function optionsOf<Options extends object>(command: Command): Options {
  const options = command.opts();
  const isGiven = (of: Command, name: string): boolean => {
    const source = of.getOptionValueSource(name);
    return source !== undefined && source !== "default";
  };
  for (let above = command.parent; above !== null; above = above.parent) {
    for (const [name, value] of Object.entries(above.opts())) {
      if (isGiven(above, name) && !isGiven(command, name)) options[name] = value;
    }
  }
  return options as Options;
}

/** `--step-seconds` for the option that commander calls `stepSeconds`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Prints the result on stdout, as JSON or as text. */
export function printResult(options: { readonly json?: boolean }, result: object, text: string): void {
  console.log(options.json === true ? JSON.stringify({ ...result, exitCode: EXIT.done }, null, 2) : text);
}
