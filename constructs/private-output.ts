/**
 * Keeps a synthesized stack from other accounts of the machine: it has the requests of `verification` and `activation` with
 * their headers, and Terraform writes its plans beside it.
 */
import { chmodSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { TerraformStack } from "cdktf";
import type { Construct } from "constructs";
import { privateFolder, withPrivateFiles } from "../system/private-files";

const PRIVATE = new WeakMap<TerraformStack, string[]>();

/** @param folder of Terraform's local state, relative to the project: Terraform itself would create it for all accounts. */
export function privateOutput(scope: Construct, folder?: string): void {
  const stack = TerraformStack.of(scope);
  const known = PRIVATE.get(stack);
  const folders = known ?? [];
  if (folder !== undefined) folders.push(folder);
  if (known !== undefined) return;
  PRIVATE.set(stack, folders);
  const { synthesizer } = stack;
  stack.synthesizer = {
    synthesize(session) {
      const { synthesizedStackPath } = session.manifest.forStack(stack);
      const output = dirname(join(session.outdir, synthesizedStackPath));
      mkdirSync(output, { recursive: true });
      // A file of an earlier synth keeps its mode.
      chmodSync(output, 0o700);
      folders.forEach(privateFolder);
      withPrivateFiles(() => synthesizer.synthesize(session));
    },
  };
}
