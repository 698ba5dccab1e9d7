/** The packages whose code is in a bundle: name, version, licence and folder, from the files that esbuild put into it. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * @param files of one or more bundles, as esbuild's metafile names them.
 * @returns each package once per folder in which it is installed.
 */
export function packagesOf(files) {
  const packages = new Map();
  for (const file of files) {
    const folder = packageFolder(file);
    if (folder !== undefined && !packages.has(folder)) packages.set(folder, describe(folder));
  }
  return [...packages.values()];
}

/** The package that contains a bundled file; undefined for this package's files. */
function packageFolder(file) {
  if (!file.includes("node_modules/")) return undefined;
  for (let folder = dirname(file); folder.includes("node_modules/"); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    // Folders inside packages may have a package.json without a version, only with the module type.
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version !== undefined)
      return folder;
  }
  throw new Error(`${file} belongs to no package`);
}

function describe(folder) {
  const { name, version, license, repository } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  );
  if (typeof license !== "string") throw new Error(`${folder} names no licence`);
  return {
    folder,
    name,
    version,
    license,
    source: typeof repository === "string" ? repository : repository?.url,
  };
}
