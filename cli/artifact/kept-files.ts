/** Where `publish` keeps artifacts and bundles on this machine, and how it names the files. */
import { resolve } from "node:path";
import { ANY_ARCHIVE_EXTENSION } from "../../release/archive";
import type { ArchiveExtension } from "../../release/archive";
import { workFolder } from "../../configuration/naming";
import type { Project } from "../project/project";

/** Of the digest: enough for one machine. */
const DIGITS = 12;

/** The absolute path. The folder may not exist yet. */
export function artifactsFolder({ folder, environment }: Project): string {
  return resolve(folder, workFolder(environment), "artifacts");
}

/** @returns the absolute path of the artifact with this digest. */
export function keptArtifact(
  project: Project,
  version: string,
  sha256: string,
  extension: ArchiveExtension,
): string {
  const { application } = project.environment;
  return resolve(
    artifactsFolder(project),
    `${application}-${version}-${sha256.slice(0, DIGITS)}${extension}`,
  );
}

/** @returns the absolute path of the bundle with this digest. */
export function keptMigrations(project: Project, sha256: string): string {
  return resolve(artifactsFolder(project), `migrations-${sha256.slice(0, DIGITS)}.zip`);
}

/** @returns the first digits of the digest, or undefined for a name that `publish` does not give. */
export function digitsInName({ environment }: Project, name: string): string | undefined {
  const named = `^(?:${environment.application}-.+|migrations)-([0-9a-f]{${DIGITS}})${ANY_ARCHIVE_EXTENSION}$`;
  return new RegExp(named).exec(name)?.[1];
}
