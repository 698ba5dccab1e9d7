/** The artifact of `bluegreen release`: a folder or an archive on this machine, or the address of an archive. */
import { InvalidInput } from "../../release/failure";
import { isAbsolute } from "node:path";
import { blobHost, digestInName } from "../../configuration/azure/azure-names";
import { isLocal, requireAzure } from "../../configuration/platform";
import type { Candidate } from "../../release/release";
import type { Project } from "../project/project";
import type { Progress } from "../terminal/progress";
import { checkAddress, checkedArtifact, checkVersion } from "./checks";
import { fetchArtifact } from "./fetch";
import { untilInterrupted } from "./interruption";
import { archiveExtension } from "./local-file";
import { migrationsFrom, publishNote } from "./migrations";
import { publish } from "./publish";
import { withScratchFile } from "./scratch";

export interface ArtifactOptions {
  readonly artifact: string;
  readonly sha256?: string;
  /** A folder or zip of SQL scripts. @default - what the artifact has in `migrations/` */
  readonly migrations?: string;
  /** Uploads nothing, for a plan only. @default false */
  readonly dryRun?: boolean;
}

/**
 * Checks version and artifact before any server changes. A folder or a file is published first, so that a released
 * artifact never changes; an address is released as it is.
 */
export async function candidateFrom(
  project: Project,
  version: string,
  options: ArtifactOptions,
  progress: Progress,
): Promise<Candidate> {
  checkVersion(version);
  if (isAddress(options.artifact)) return fromAddress(project, version, options, progress);
  const { artifact, migrationFields } = await publish(project, version, options, progress);
  return { version, artifact: checkedArtifact(artifact!.url, artifact!.sha256), ...migrationFields };
}

/** A scheme has at least two letters; one letter is a Windows drive. */
function isAddress(artifact: string): boolean {
  return !isAbsolute(artifact) && /^[a-z][a-z0-9+.-]+:/i.test(artifact);
}

async function fromAddress(
  project: Project,
  version: string,
  { artifact: url, sha256, migrations: given }: ArtifactOptions,
  progress: Progress,
): Promise<Candidate> {
  checkAddress(url);
  const note = (line: string): void => progress.note(line);
  const known = sha256 ?? publishedDigest(project, url);
  const { digest, migrations } =
    known !== undefined
      ? { digest: known, migrations: migrationsFrom(project, { given, artifact: null }, note) }
      : await fetched(project, url, given, progress);
  const artifact = checkedArtifact(url, digest);
  const remaining = publishNote(project, version, migrations);
  if (remaining !== null) note(remaining);
  return { version, artifact, ...migrations.fields };
}

async function fetched(project: Project, url: string, given: string | undefined, progress: Progress) {
  if (url.startsWith("file:") && !isLocal(project.environment)) {
    throw new InvalidInput(
      `${url} is a file on the servers and can't be read from here: give its digest with --sha256, or give the path alone to publish it`,
    );
  }
  return untilInterrupted(
    (signal) =>
      withScratchFile(project, async (scratch) => {
        const { file, sha256 } = await fetchArtifact(url, scratch, { signal, progress });
        if ((await archiveExtension(file)) === null) {
          throw new InvalidInput(`${url} is neither a zip nor a .tar.gz: is it a web page?`);
        }
        progress.note(`computed the digest; pin it with --sha256 ${sha256}`);
        const migrations = migrationsFrom(project, { given, artifact: file }, (line) => progress.note(line));
        return { digest: sha256, migrations };
      }),
    "nothing was released",
  );
}

/** The digest in the name of a blob in the environment's store, which can be fetched only from inside its network. */
function publishedDigest({ environment }: Project, url: string): string | undefined {
  if (isLocal(environment)) return undefined;
  const { host, pathname } = new URL(url);
  return host === blobHost(requireAzure(environment)) ? digestInName(pathname) : undefined;
}
