/**
 * Puts an artifact and its migrations where servers fetch them: the artifact store on Azure, a folder of the project on
 * the local platform. A published file never changes.
 */
import { Failure, InvalidInput } from "../../release/failure";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, renameSync, statSync } from "node:fs";
import type { Stats } from "node:fs";
import { join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { artifactUrl, migratorUrl } from "../../configuration/azure/azure-names";
import { DEFAULT_MAX_ARTIFACT_FILES } from "../../configuration/artifact-limits";
import type { AzureEnvironment } from "../../configuration/environment";
import { workFolder } from "../../configuration/naming";
import { isLocal, requireAzure } from "../../configuration/platform";
import type { Project } from "../project/project";
import type { Progress } from "../terminal/progress";
import { byteProgress, formatBytes } from "./bytes";
import { checkVersion } from "./checks";
import { untilInterrupted } from "./interruption";
import { keptArtifact } from "./kept-files";
import { archiveExtension, digestFile } from "./local-file";
import { migrationsFrom } from "./migrations";
import type { PackedMigrations } from "./migrations";
import { packFolder } from "./pack";
import { withScratchFile } from "./scratch";
import { ArtifactStore } from "./store";

export interface PublishOptions {
  /** A folder, a zip or a .tar.gz on this machine. @default - only migrations are published */
  readonly artifact?: string;
  /** The artifact's expected digest. */
  readonly sha256?: string;
  /** A folder or zip of SQL scripts. @default - what the artifact has in `migrations/` */
  readonly migrations?: string;
  /** Reports the addresses only: uploads nothing and does not contact the artifact store. @default false */
  readonly dryRun?: boolean;
}

interface Stored {
  readonly url: string;
  readonly sha256: string;
  /** False if it was already there. */
  readonly uploaded: boolean;
}

export interface Published {
  readonly artifact?: Stored & { readonly bytes: number };
  readonly migrations?: Stored & { readonly newest: string };
  /** The program that runs them; undefined on the local platform, which has it. */
  readonly migrator?: Stored;
  /** The record's fields for the migrations. */
  readonly migrationFields: PackedMigrations["fields"];
}

interface OnHand {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}

interface Tools {
  readonly project: Project;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** @throws Failure if a check fails; nothing is published then. */
export async function publish(
  project: Project,
  version: string,
  { artifact, sha256, migrations: given, dryRun = false }: PublishOptions,
  progress: Progress,
): Promise<Published> {
  checkVersion(version);
  const found = artifact === undefined ? undefined : checkSource(project, artifact);
  const isHere = isLocal(project.environment);
  const store =
    isHere || dryRun ? null : await ArtifactStore.open(requireAzure(project.environment), progress);
  const carryOut = async (scratch: string, signal: AbortSignal): Promise<Published> => {
    const tools = { project, progress, signal };
    const onHand =
      artifact === undefined ? undefined : await prepare(tools, artifact, found!, isHere, scratch);
    if (sha256 !== undefined && onHand !== undefined && onHand.sha256 !== sha256) {
      throw new InvalidInput(
        `${artifact} has the digest ${onHand.sha256}, but --sha256 is ${sha256}: nothing was released`,
      );
    }
    const from = { given, artifact: onHand?.file ?? null };
    const packed = migrationsFrom(project, from, (line) => progress.note(line));
    return isHere
      ? keep(project, version, onHand, packed)
      : await upload(tools, store, version, onHand, packed);
  };
  try {
    return await untilInterrupted(
      (signal) => withScratchFile(project, (scratch) => carryOut(scratch, signal)),
      "nothing was published",
    );
  } finally {
    progress.stop();
  }
}

// ------------------------------------------------------------------------------------------- on this machine

function checkSource(project: Project, artifact: string): Stats {
  let found: Stats | undefined;
  try {
    found = statSync(artifact, { throwIfNoEntry: false });
  } catch (error) {
    throw new InvalidInput((error as Error).message);
  }
  if (found === undefined) {
    throw new InvalidInput(`there is no file or folder ${artifact}`);
  }
  if (found.isDirectory()) refuseStateFolder(project, artifact);
  else if (!found.isFile()) throw new InvalidInput(`${artifact} is neither a file nor a folder`);
  return found;
}

/** State, plans and kept artifacts don't belong to an application, and may contain secrets. */
function refuseStateFolder(project: Project, folder: string): void {
  const state = resolve(realpathSync(project.folder), workFolder(project.environment));
  const given = realpathSync(folder);
  if (!`${state}${sep}`.startsWith(given === sep ? sep : `${given}${sep}`)) return;
  throw new InvalidInput(
    `${folder} contains bluegreen's state (${state.slice(given.length + 1) || "all of it"}): give a folder with the application only`,
  );
}

/** @param copy whether to copy the file rather than use it; a folder is packed in any case. */
async function prepare(
  { project: { environment }, progress, signal }: Tools,
  artifact: string,
  found: Stats,
  copy: boolean,
  scratch: string,
): Promise<OnHand> {
  try {
    if (!found.isDirectory()) {
      const reading = byteProgress(progress, `reading ${artifact}`);
      const onBytes = (done: number): void => reading(done, found.size);
      const options = { signal, onBytes, ...(copy ? { copyTo: scratch } : {}) };
      return { file: copy ? scratch : artifact, ...(await digestFile(artifact, options)) };
    }
    const onBytes = byteProgress(progress, `packing ${artifact}`);
    const { leftOut, ...packed } = await packFolder(artifact, scratch, {
      ...{ signal, onBytes },
      maxFiles: environment.maxArtifactFiles ?? DEFAULT_MAX_ARTIFACT_FILES,
    });
    if (leftOut.length > 0) progress.note(`${artifact}: left out ${leftOut.join(", ")}`);
    return { file: scratch, ...packed };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (signal.aborted || error instanceof Failure || code === undefined) throw error;
    throw new InvalidInput(`${artifact}: ${message}`);
  }
}

// ------------------------------------------------------------------------------------------------ to its destination

async function keep(
  project: Project,
  version: string,
  onHand: OnHand | undefined,
  { fields, isNew }: PackedMigrations,
): Promise<Published> {
  const { migrations } = fields;
  const published = {
    migrationFields: fields,
    ...(migrations === undefined ? {} : { migrations: { ...migrations, uploaded: isNew } }),
  };
  if (onHand === undefined) return published;
  const { file, sha256, bytes } = onHand;
  const extension = await archiveExtension(file);
  if (extension === null) {
    throw new InvalidInput("the artifact is neither a zip nor a .tar.gz: nothing was changed");
  }
  const kept = keptArtifact(project, version, sha256, extension);
  const uploaded = !existsSync(kept);
  renameSync(file, kept);
  return { ...published, artifact: { url: pathToFileURL(kept).href, sha256, bytes, uploaded } };
}

/** The artifact comes last: once it is there, so is all that it needs. @param store null to report the addresses only */
async function upload(
  { project, progress, signal }: Tools,
  store: ArtifactStore | null,
  version: string,
  onHand: OnHand | undefined,
  { fields, bundle }: PackedMigrations,
): Promise<Published> {
  const environment = requireAzure(project.environment);
  const put = async (url: string, file: string, sha256: string): Promise<Stored> => {
    if (store === null) {
      progress.note(`the release publishes ${url}`);
      return { url, sha256, uploaded: false };
    }
    const onBytes = byteProgress(progress, `uploading ${url}`);
    progress.now(`uploading ${url}`);
    const uploaded = await store.put({ url, file, sha256 }, { signal, onBytes });
    progress.done(uploaded ? `published ${url}` : `already there: ${url}`);
    return { url, sha256, uploaded };
  };
  const address = onHand === undefined ? undefined : await addressOf(environment, version, onHand);
  const { migrations } = fields;
  let published: Published = { migrationFields: fields };
  if (migrations !== undefined) {
    const migrator = migratorFile();
    const digest = createHash("sha256").update(readFileSync(migrator)).digest("hex");
    const stored = await put(migrations.url, bundle!, migrations.sha256);
    published = {
      migrationFields: fields,
      migrations: { ...stored, newest: migrations.newest },
      migrator: await put(migratorUrl(environment, digest), migrator, digest),
    };
  }
  if (address === undefined) return published;
  const { file, sha256, bytes } = onHand!;
  return { ...published, artifact: { ...(await put(address, file, sha256)), bytes } };
}

async function addressOf(
  environment: AzureEnvironment,
  version: string,
  { file, sha256, bytes }: OnHand,
): Promise<string> {
  const extension = await archiveExtension(file);
  if (extension === null) {
    throw new InvalidInput(
      `${file} (${formatBytes(bytes)}) is neither a zip nor a .tar.gz, the only formats that servers unpack`,
    );
  }
  return artifactUrl(environment, version, sha256, extension);
}

/** Built with this package. */
function migratorFile(): string {
  return join(__dirname, "..", "..", "on-server", "migrate.js");
}
