/** Finds the built programs that synth ships to servers: as files, never as imports. */
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { AssetType, TerraformAsset, TerraformStack } from "cdktf";
import type { Construct } from "constructs";

/**
 * The path of a program, as in `onServerProgram("install/install-release.sh")`.
 * @throws Error if the package is not built.
 */
export function onServerProgram(name: string): string {
  // This code runs from lib/main.js, from constructs/ (tsx) and from lib/constructs (library). Built programs come first:
  // only the build joins scripts of several files into one.
  const folders = ["on-server", "../lib/on-server", "../on-server"].map((folder) => join(__dirname, folder));
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is not built: run \`npm run build\` in cdktf-bluegreen`);
  return found;
}

const SOURCES = new WeakMap<TerraformAsset, string>();

/**
 * Ships a file with the stack, for custom servers. One copy per stack.
 * @param path of the file, relative to the working directory of the synth.
 * @returns the path of the copy, relative to the synthesized stack, where Terraform runs.
 */
export function shippedFile(scope: Construct, path: string): string {
  const stack = TerraformStack.of(scope);
  const source = resolve(path);
  // Files in different folders may have the same name.
  for (let number = 1; ; number += 1) {
    const id = `file-${basename(path).replaceAll(".", "-")}${number === 1 ? "" : `-${number}`}`;
    const existing = stack.node.tryFindChild(id) as TerraformAsset | undefined;
    if (existing !== undefined && SOURCES.get(existing) !== source) continue;
    const asset = existing ?? new TerraformAsset(stack, id, { path, type: AssetType.FILE });
    SOURCES.set(asset, source);
    return asset.path;
  }
}
