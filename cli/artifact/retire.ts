/**
 * Removes the artifacts of old releases from this machine after a release, as servers do with what they unpacked: the
 * newest `keepReleases` stay, and all that the record names. A file that was published and not released yet is never
 * removed, nor is one that no receipt knows: that is for `bluegreen publish --prune`.
 */
import { readdirSync, rmSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { isLocal } from "../../configuration/platform";
import type { ReleaseRecord } from "../../release/record";
import type { Project } from "../project/project";
import { receiptsFromNewest } from "../receipts/receipt-store";
import { artifactsFolder, digitsInName } from "./kept-files";
import { artifactsOf } from "./references";

/**
 * @param record what was just released. Does nothing on Azure, where the storage account has its own rules.
 * @throws Failure, InvalidInput if a receipt is damaged: it may name any file.
 */
export function retireArtifacts(project: Project, record: ReleaseRecord): void {
  if (!isLocal(project.environment)) return;
  const folder = artifactsFolder(project);
  const inRecord = artifactsOf(record).map(({ sha256 }) => sha256);
  const unknown = new Map<string, string>();
  for (const name of readdirSync(folder)) {
    const digits = digitsInName(project, name);
    if (digits === undefined || inRecord.some((digest) => digest.startsWith(digits))) continue;
    unknown.set(digits, resolve(folder, name));
  }
  const newest = new Set<string>();
  for (const receipt of receiptsFromNewest(project)) {
    // The folder has usually one file more than stays, so that a few receipts are read, not all.
    if (unknown.size === 0) return;
    const { before, after } = receipt.record;
    for (const { slots, active } of before === null ? [after] : [after, before]) {
      const release = slots[active];
      if (release === null) continue;
      const { artifact, migrations } = release;
      if (newest.size < project.environment.keepReleases) newest.add(artifact.sha256);
      const files = migrations === undefined ? [artifact] : [artifact, migrations];
      for (const { sha256 } of files) {
        const digits = [...unknown.keys()].find((each) => sha256.startsWith(each));
        if (digits === undefined) continue;
        const file = unknown.get(digits)!;
        unknown.delete(digits);
        const isPublishedAgain = statSync(file).mtimeMs > Date.parse(receipt.endedAt);
        if (!newest.has(artifact.sha256) && !isPublishedAgain) rmSync(file, { force: true });
      }
    }
  }
}
