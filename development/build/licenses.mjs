/**
 * The licences of the bundled packages, as text: most must be in every copy, and cdktf's (MPL-2.0) requires the address of
 * its source.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const LICENCE_FILE = /^(licen[cs]e|notice|copying)([.-].*)?$/i;

/** @param packages as packagesOf() returns them. */
export function licencesOf(packages) {
  // A package may be installed more than once in the same version.
  const texts = [...new Set(packages.map(describe))].sort((one, other) => one.localeCompare(other, "en"));
  return `The programs in this folder contain:\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

function describe({ folder, name, version, license, source }) {
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${name} ${version}, ${license}${source ? `, ${source}` : ""}`, ...texts, ""].join("\n\n");
}
