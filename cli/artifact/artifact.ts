/** What `bluegreen release` is given: a zip on this machine, or the address of one. */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as z from "zod/mini";
import { azureNames, blobHost, RELEASES_CONTAINER } from "../../release/azure/azure-names";
import type { AzureEnvironment } from "../../release/environment";
import { isLocal, requireAzure } from "../../release/platform";
import { Artifact, Version } from "../../release/release";
import type { Candidate } from "../../release/release";
import { describeIssues } from "../../release/validation";
import { migrationsFrom } from "./migrations";
import { OperatorError } from "../operator-error";
import { platformFile } from "../project/project";
import type { Project } from "../project/project";

export interface ArtifactOptions {
  readonly artifact: string;
  readonly sha256?: string;
  /** A folder or zip of SQL scripts. @default - what the artifact has in `migrations/` */
  readonly migrations?: string;
}

/**
 * Checks version and artifact before anything happens. A file is copied under a name that carries its digest, so
 * that what was released stays what it was.
 */
export function candidateFrom(
  project: Project,
  version: string,
  { artifact, sha256, migrations: given }: ArtifactOptions,
  say: (line: string) => void,
): Candidate {
  const checked = z.safeParse(Version, version);
  if (!checked.success) throw new OperatorError(describeIssues(checked.error).replace(/^the whole: /, ""), 2);
  if (/^[a-z][a-z0-9+.-]*:/i.test(artifact)) {
    if (sha256 === undefined) {
      throw new OperatorError(
        `--artifact ${artifact} is an address: give its digest with --sha256, else nobody knows what is installed`,
        2,
      );
    }
    const checkedAddress = checkedArtifact(artifact, sha256);
    return { version, artifact: checkedAddress, ...migrationsFrom(project, { given, artifact: null }, say) };
  }
  if (!isLocal(project.environment)) refuseFile(requireAzure(project.environment), version, artifact);
  const found = statSync(artifact, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new OperatorError(`there is no file ${artifact}: pack the application first`, 2);
  }
  if (!found.isFile()) throw new OperatorError(`${artifact} is a folder: pack it into a zip first`, 2);
  const digest = createHash("sha256").update(readFileSync(artifact)).digest("hex");
  if (sha256 !== undefined && sha256 !== digest) {
    throw new OperatorError(
      `${artifact} has the digest ${digest}, not ${sha256} as --sha256 says: nothing was released`,
      2,
    );
  }
  const name = `artifacts/${project.environment.application}-${version}-${digest.slice(0, 12)}.zip`;
  const kept = resolve(platformFile(project, name));
  if (!existsSync(kept)) {
    mkdirSync(dirname(kept), { recursive: true });
    copyFileSync(artifact, `${kept}.new`);
    renameSync(`${kept}.new`, kept);
  }
  return {
    version,
    artifact: checkedArtifact(pathToFileURL(kept).href, digest),
    ...migrationsFrom(project, { given, artifact: kept }, say),
  };
}

function refuseFile(environment: AzureEnvironment, version: string, file: string): never {
  const { storageAccount } = azureNames(environment);
  const blob = `${environment.application}/${version}/<sha256>.zip`;
  throw new OperatorError(
    `${file} is on this machine, which the servers can't read: publish it (az storage blob upload --auth-mode login --account-name ${storageAccount} ` +
      `--container-name ${RELEASES_CONTAINER} --name ${blob} --file ...), then give --artifact https://${blobHost(environment)}/${RELEASES_CONTAINER}/${blob} and --sha256`,
    2,
  );
}

function checkedArtifact(url: string, sha256: string): Artifact {
  const artifact = z.safeParse(Artifact, { url, sha256 });
  if (!artifact.success) throw new OperatorError(describeIssues(artifact.error), 2);
  return artifact.data;
}
