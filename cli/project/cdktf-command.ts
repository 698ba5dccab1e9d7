/** The commands of cdktf-cli that this command's messages name, ready to paste. */
import { findProgram } from "../../system/executable";

/**
 * cdktf-cli looks for `terraform` alone, unless the variable names another program.
 * @param command such as "deploy base".
 */
export function cdktfCommand(command: string): string {
  const onlyTofu =
    !process.env["TERRAFORM_BINARY_NAME"] &&
    findProgram("terraform") === undefined &&
    findProgram("tofu") !== undefined;
  return `${onlyTofu ? "TERRAFORM_BINARY_NAME=tofu " : ""}npx cdktf ${command}`;
}
