/** The commands of an engine's command line that this command's messages name, ready to paste. */
import { findProgram } from "../../system/executable";
import { commandLineOf } from "./engines";

/**
 * Both look for `terraform` alone, unless the variable names another program.
 * @param command such as "deploy base".
 * @param folder the project's. @default the current one
 */
export function cdktfCommand(command: string, folder = process.cwd()): string {
  const onlyTofu =
    !process.env["TERRAFORM_BINARY_NAME"] &&
    findProgram("terraform") === undefined &&
    findProgram("tofu") !== undefined;
  const { installed, package: name, version, program } = commandLineOf(folder);
  const npx = installed ? "npx" : `npx --package ${name}@${version}`;
  return `${onlyTofu ? "TERRAFORM_BINARY_NAME=tofu " : ""}${npx} ${program} ${command}`;
}
