/** Where PostgreSQL's programs are: on PATH, where Debian puts them, or in an npm package. */
import { accessSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

const DEBIAN = "/usr/lib/postgresql";
const PROGRAMS = ["initdb", "pg_ctl", "postgres"];

/** @throws Error saying what to install. */
export function findPrograms(): string {
  const onPath = (process.env["PATH"] ?? "").split(delimiter);
  const packaged = process.env["BLUEGREEN_POSTGRES_FOLDER"];
  const candidates = [...onPath, ...debianFolders(), ...(packaged === undefined ? [] : [packaged])];
  const found = candidates.find((folder) => PROGRAMS.every((program) => isExecutable(join(folder, program))));
  if (found !== undefined) return found;
  throw new Error(
    "there is no PostgreSQL here: install it (Debian: apt-get install postgresql), or set PG_URL to a server where databases may be made",
  );
}

function debianFolders(): string[] {
  try {
    const versions = readdirSync(DEBIAN).sort((one, other) => Number(other) - Number(one));
    return versions.map((version) => join(DEBIAN, version, "bin"));
  } catch {
    return [];
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
