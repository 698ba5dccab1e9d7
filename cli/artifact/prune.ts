/** Finds published files that nothing refers to, and removes them: only files that `publish` named. */
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { digestInName, storePrefix } from "../../configuration/azure/azure-names";
import { isLocal, requireAzure } from "../../configuration/platform";
import type { Project } from "../project/project";
import type { Progress } from "../terminal/progress";
import { artifactsFolder, digitsInName } from "./kept-files";
import { referencesOf } from "./references";
import type { References } from "./references";
import { SCRATCH_FILE } from "./scratch";
import { ArtifactStore } from "./store";

export interface Leftover {
  readonly url: string;
  readonly bytes: number;
  readonly modifiedAt: Date;
}

export interface Pruning {
  /** Files that nothing refers to, oldest first. */
  find(): Promise<Leftover[]>;
  /** Checks the references again first. @returns the removed files. */
  remove(found: readonly Leftover[]): Promise<Leftover[]>;
}

interface Kept extends Leftover {
  readonly isNeeded: (references: References) => boolean;
  remove(): Promise<boolean>;
}

const DAY_MS = 24 * 3_600_000;

/** @param keepDays younger files stay, and files that a younger receipt names. */
export async function openPruning(project: Project, keepDays: number, progress: Progress): Promise<Pruning> {
  const since = new Date(Date.now() - keepDays * DAY_MS);
  referencesOf(project, since); // refuse before the login
  const list = isLocal(project.environment)
    ? () => Promise.resolve(localFiles(project))
    : await blobs(project, progress);
  const find = async (): Promise<Kept[]> => {
    const kept = await list();
    // After the listing: a file published meanwhile is not in it, one released meanwhile has a reference.
    const references = referencesOf(project, since);
    return kept
      .filter(({ modifiedAt, isNeeded }) => modifiedAt < since && !isNeeded(references))
      .sort((one, other) => one.modifiedAt.getTime() - other.modifiedAt.getTime());
  };
  return {
    find,
    async remove(found) {
      const requested = new Set(found.map(({ url }) => url));
      const removed: Leftover[] = [];
      for (const each of await find()) {
        if (requested.has(each.url) && (await each.remove())) removed.push(each);
      }
      return removed;
    },
  };
}

async function blobs(project: Project, progress: Progress): Promise<() => Promise<Kept[]>> {
  const environment = requireAzure(project.environment);
  const store = await ArtifactStore.open(environment, progress);
  return async () =>
    (await store.list(storePrefix(environment))).flatMap((blob) => {
      const digest = digestInName(blob.name);
      if (digest === undefined) return [];
      const url = store.urlOf(blob.name);
      return [
        {
          url,
          bytes: blob.bytes,
          modifiedAt: blob.modifiedAt,
          isNeeded: ({ urls, digests }: References) => urls.has(url) || digests.has(digest),
          remove: () => store.remove(blob),
        },
      ];
    });
}

function localFiles(project: Project): Kept[] {
  const folder = artifactsFolder(project);
  return readNames(folder).flatMap((name) => {
    const digits = digitsInName(project, name);
    if (digits === undefined && !SCRATCH_FILE.test(name)) return [];
    const file = resolve(folder, name);
    const { size, mtime } = lstatSync(file);
    const url = pathToFileURL(file).href;
    return [
      {
        url,
        bytes: size,
        modifiedAt: mtime,
        isNeeded: ({ urls, digests }: References) =>
          urls.has(url) || (digits !== undefined && [...digests].some((digest) => digest.startsWith(digits))),
        remove: () => Promise.resolve(rmSync(file, { force: true })).then(() => true),
      },
    ];
  });
}

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
