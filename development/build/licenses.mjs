/**
 * The licences of what the bundles contain, as text: most ask for their words in every copy, and cdktf's (MPL-2.0) for
 * where its source is.
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
  // One version of a package may be there more than once.
  const texts = [...new Set(packages.values())].sort((one, other) => one.localeCompare(other, "en"));
  return `The programs in this folder contain:\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

/** The nearest folder above a bundled file that is a package; undefined for our own files. */
function packageFolder(file) {
  if (!file.includes("node_modules/")) return undefined;
  for (let folder = dirname(file); folder.includes("node_modules/"); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    // Some folders inside of packages have one, too, which says only how their files are loaded.
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
