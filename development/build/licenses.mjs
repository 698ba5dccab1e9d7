/**
 * The licences of the bundled packages, as text: most must be in every copy, and cdktf's (MPL-2.0) requires the address of
 * its source.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const LICENCE_FILE = /^(licen[cs]e|notice|copying)([.-].*)?$/i;

/** @param files of all bundles, as esbuild's metafile names them. */
export function licencesOf(files) {
  const packages = new Map();
  for (const file of files) {
    const folder = packageFolder(file);
    if (folder === undefined || packages.has(folder)) continue;
    packages.set(folder, describe(folder));
  }
  // A package may be installed more than once in the same version.
  const texts = [...new Set(packages.values())].sort((one, other) => one.localeCompare(other, "en"));
  return `The programs in this folder contain:\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
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
  const source = typeof repository === "string" ? repository : repository?.url;
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${name} ${version}, ${license}${source ? `, ${source}` : ""}`, ...texts, ""].join("\n\n");
}
