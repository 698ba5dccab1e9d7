/** Paths on the local platform: relative to the synthesized stack, where Terraform runs, so the output can move. */
import { join, relative } from "node:path";
import { App, TerraformStack } from "cdktf";
import type { Construct } from "constructs";

/** The project's folder: the working directory at synth. Servers' folders are relative to it. */
export function projectFromStack(scope: Construct): string {
  return fromStack(scope, ".");
}

/** The path of a shipped file, relative to the project. */
export function shippedFromProject(scope: Construct, shipped: string): string {
  const stack = TerraformStack.of(scope);
  return relative(".", join(App.of(scope).outdir, "stacks", stack.node.id, shipped));
}

/** @param path relative to the project. */
export function fromStack(scope: Construct, path: string): string {
  const stack = TerraformStack.of(scope);
  const stackFolder = join(App.of(scope).outdir, "stacks", stack.node.id);
  return relative(stackFolder, path);
}
