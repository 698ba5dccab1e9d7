/**
 * The licences of the bundled packages, as text: most must be in every copy, and cdktf's (MPL-2.0) requires the address of
 * its source.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const LICENCE_FILE = /^(licen[cs]e|notice|copying)([.-].*)?$/i;

/** @param packages as packagesOf() returns them. */
export function licencesOf(packages) {
  // Many have the same text. A package may also be installed more than once in the same version.
  const headsOf = new Map();
  for (const each of packages) {
    const text = textsOf(each).join("\n\n");
    headsOf.set(text, (headsOf.get(text) ?? new Set()).add(headOf(each)));
  }
  const parts = [...headsOf]
    .map(([text, heads]) => `${[...heads].sort().join("\n")}\n\n${text}\n`)
    .sort((one, other) => one.localeCompare(other, "en"));
  return `The programs in this folder contain:\n\n${parts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

function headOf({ name, version, license, source }) {
  return `${name} ${version}, ${license}${source ? `, ${source}` : ""}`;
}

function textsOf({ folder }) {
  return readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
}
