/** The artifacts and migrations that the record or a receipt names. */
import { Failure } from "../../release/failure";
import { EXIT } from "../../release/exit-code";
import type { Receipt } from "../../release/receipt";
import type { ReleaseRecord } from "../../release/record";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import { readReceipts } from "../receipts/receipt-store";

export interface References {
  readonly urls: ReadonlySet<string>;
  /** A copy under another name has the same digest. */
  readonly digests: ReadonlySet<string>;
}

/**
 * @param since receipts that ended before are ignored.
 * @throws Failure (refused) if the running releases are unknown: nothing may be removed then.
 */
export function referencesOf(project: Project, since: Date): References {
  const record = readRecord(project);
  const { name, record: recordFile } = project.environment;
  const nothing = "nothing is removed";
  if (record.sequence === 0) {
    throw new Failure(
      `${recordFile} names no release of ${name}, so the running releases are unknown: ${nothing}`,
      EXIT.refused,
    );
  }
  const receipts = allReceipts(project, nothing);
  const newest = Math.max(...receipts.map(({ sequence }) => sequence), 0);
  if (newest > record.sequence) {
    throw new Failure(
      `${recordFile} is at sequence ${record.sequence}, but receipt ${newest} is newer: update the record first; ${nothing}`,
      EXIT.refused,
    );
  }
  const recent = receipts.filter(({ endedAt }) => new Date(endedAt) >= since);
  const records = [
    record,
    ...recent.flatMap(({ record: { before, after } }) => (before === null ? [after] : [before, after])),
  ];
  const artifacts = records.flatMap(artifactsOf);
  return {
    urls: new Set(artifacts.map(({ url }) => url)),
    digests: new Set(artifacts.map(({ sha256 }) => sha256)),
  };
}

/** Of all releases that a record names. */
export function artifactsOf({ slots, previous }: ReleaseRecord): { url: string; sha256: string }[] {
  return [slots.blue, slots.green, previous]
    .filter((release) => release !== null)
    .flatMap(({ artifact, migrations }) => (migrations === undefined ? [artifact] : [artifact, migrations]));
}

/** An unreadable receipt may name any file. */
function allReceipts(project: Project, effect: string): Receipt[] {
  return readReceipts(project, (problem) => {
    throw new Failure(
      `${problem}, so the files that it needs are unknown: ${effect}; repair or delete it`,
      EXIT.refused,
    );
  });
}
