/** Packs the sample application's newest code under any version: good, or with one of several faults. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { unzipSync, zipSync } from "fflate";
import { packRelease } from "../../examples/socialgoal/pack";

const NEWEST = "1.4.0";
const RELEASES = resolve("examples/socialgoal/releases");
/** The newest code has four scripts. */
const FIRST_MIGRATION = 5;

export type Variant = "good" | "neverHealthy" | "failsUnderTraffic" | "badArchive";

/** Files of other releases that make the newest code bad. */
const OVERLAYS: Readonly<Record<Variant, readonly string[]>> = {
  good: [],
  badArchive: [],
  neverHealthy: ["1.2.0/start-up.js"],
  failsUnderTraffic: ["1.3.0/sayings.js", "1.3.0/visit.js"],
};

/** @param migrations how many scripts to add to those of the newest code. @returns the file. */
export async function packVariant(
  folder: string,
  version: string,
  variant: Variant,
  migrations: number,
): Promise<string> {
  const { file } = await packRelease({ version, from: NEWEST, to: folder });
  const files = unzipSync(readFileSync(file));
  for (const overlay of OVERLAYS[variant]) {
    files[overlay.slice(overlay.indexOf("/") + 1)] = readFileSync(join(RELEASES, overlay));
  }
  // Most visits fail, not one in seven, so that a small load shows it.
  if (variant === "failsUnderTraffic") {
    const sayings = Buffer.from(files["sayings.js"]!).toString();
    files["sayings.js"] = Buffer.from(sayings.replace("const DAYS = 7;", "const DAYS = 24;"));
  }
  if (variant === "badArchive") files["../outside.txt"] = Buffer.from("x");
  for (let index = 0; index < migrations; index++) {
    const name = `${String(FIRST_MIGRATION + index).padStart(4, "0")}-soak-${index + 1}.sql`;
    files[`migrations/${name}`] = Buffer.from(`ALTER TABLE goals ADD COLUMN soak_${index + 1} integer;\n`);
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, zipSync(files));
  return file;
}
