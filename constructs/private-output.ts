/**
 * Keeps a synthesized stack from other accounts of the machine: it has the requests of `verification` and `activation` with
 * their headers, and Terraform writes its plans beside it. The command does the same for what it starts
 * (system/private-files.ts).
 */
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { TerraformStack } from "cdktf";
import type { Construct } from "constructs";

const PRIVATE = new WeakMap<TerraformStack, string[]>();
const OTHERS = 0o077;

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
      const before = process.umask(OTHERS);
      try {
        for (const each of [dirname(join(session.outdir, synthesizedStackPath)), ...folders]) close(each);
        synthesizer.synthesize(session);
      } finally {
        process.umask(before);
      }
    },
  };
}

/** A folder that others can only pass through stays as it is: the application's account reaches its files through it. */
function close(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const { mode, uid } = statSync(folder);
  if (uid === process.getuid?.() && (mode & 0o066) !== 0) chmodSync(folder, 0o700);
}
