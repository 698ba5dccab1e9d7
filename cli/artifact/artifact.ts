/** What `bluegreen release` is given: a folder or an archive on this machine, or the address of an archive. */
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
  /** Nothing is uploaded: somebody only wants to see the plan. @default false */
  readonly dryRun?: boolean;
}

/**
 * Checks version and artifact before anything happens to the servers. A folder or a file is published first, so that
 * what was released stays what it was; an address is released as it is.
 */
export async function candidateFrom(
  project: Project,
  version: string,
  options: ArtifactOptions,
  progress: Progress,
): Promise<Candidate> {
  checkVersion(version);
  if (isAddress(options.artifact)) return fromAddress(project, version, options, progress);
  const { artifact, brought } = await publish(project, version, options, progress);
  return { version, artifact: checkedArtifact(artifact!.url, artifact!.sha256), ...brought.says };
}

/** A scheme has two letters or more: one is a drive of Windows. */
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
  const say = (line: string): void => progress.note(line);
  const known = sha256 ?? publishedDigest(project, url);
  const { digest, brought } =
    known !== undefined
      ? { digest: known, brought: migrationsFrom(project, { given, artifact: null }, say) }
      : await fetched(project, url, given, progress);
  const artifact = checkedArtifact(url, digest);
  const note = publishNote(project, version, brought);
  if (note !== null) say(note);
  return { version, artifact, ...brought.says };
}

async function fetched(project: Project, url: string, given: string | undefined, progress: Progress) {
  if (url.startsWith("file:") && !isLocal(project.environment)) {
    throw new InvalidInput(
      `${url} is a file of each server, which can't be read from here: say its digest with --sha256, or give the path alone, and it is published`,
    );
  }
  return untilInterrupted(
    (signal) =>
      withScratchFile(project, async (scratch) => {
        const { file, sha256 } = await fetchArtifact(url, scratch, { signal, progress });
        if ((await archiveExtension(file)) === null) {
          throw new InvalidInput(`${url} is neither a zip nor a .tar.gz: is it the address of a page?`);
        }
        progress.note(`the digest was computed; pin it with --sha256 ${sha256}`);
        const brought = migrationsFrom(project, { given, artifact: file }, (line) => progress.note(line));
        return { digest: sha256, brought };
      }),
    "nothing was released",
  );
}

/** What is in the environment's own store says its digest; nobody outside of the network could fetch it. */
function publishedDigest({ environment }: Project, url: string): string | undefined {
  if (isLocal(environment)) return undefined;
  const { host, pathname } = new URL(url);
  return host === blobHost(requireAzure(environment)) ? digestInName(pathname) : undefined;
}
