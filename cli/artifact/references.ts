/** What must stay: artifacts and migrations that the record or a receipt names. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { workFolder } from "../../release/naming";
import { Receipt } from "../../release/receipt";
import type { ReleaseRecord } from "../../release/record";
import { parseFile } from "../../release/validation";
import { OperatorError } from "../operator-error";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";

export interface References {
  readonly urls: ReadonlySet<string>;
  /** A copy under another name has the same digest. */
  readonly digests: ReadonlySet<string>;
}

/**
 * @param since receipts that ended before count no more.
 * @throws OperatorError (refused) where what runs is not known: then nothing may be removed.
 */
export function referencesOf(project: Project, since: Date): References {
  const record = readRecord(project);
  const { name, record: recordFile } = project.environment;
  const nothing = "nothing is removed";
  if (record.sequence === 0) {
    throw new OperatorError(
      `${recordFile} says of no release of ${name}: what runs is not known, ${nothing}`,
      3,
    );
  }
  const receipts = readReceipts(project, nothing);
  const newest = Math.max(...receipts.map(({ sequence }) => sequence), 0);
  if (newest > record.sequence) {
    throw new OperatorError(
      `${recordFile} is at ${record.sequence}, receipt ${newest} is newer: bring the record up to date first; ${nothing}`,
      3,
    );
  }
  const recent = receipts.filter(({ endedAt }) => new Date(endedAt) >= since);
  const records = [record, ...recent.flatMap(({ record: { before, after } }) => [before, after])];
  const artifacts = records.flatMap(artifactsOf);
  return {
    urls: new Set(artifacts.map(({ url }) => url)),
    digests: new Set(artifacts.map(({ sha256 }) => sha256)),
  };
}

function artifactsOf({ slots, previous }: ReleaseRecord): { url: string; sha256: string }[] {
  return [slots.blue, slots.green, previous]
    .filter((release) => release !== null)
    .flatMap(({ artifact, migrations }) => (migrations === undefined ? [artifact] : [artifact, migrations]));
}

function readReceipts(project: Project, meaning: string): Receipt[] {
  const folder = join(project.folder, workFolder(project.environment), "receipts");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^\d+\.json$/.test(name))
    .map((name) => {
      try {
        return parseFile(Receipt, readFileSync(join(folder, name), "utf8"), `receipts/${name}`);
      } catch (error) {
        throw new OperatorError(
          `${(error as Error).message}: what it needs is not known, ${meaning}; mend it, or take it out of ${folder}`,
          3,
        );
      }
    });
}
