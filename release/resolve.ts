/** The transition that corrects a script's status in the database's journal, then continues as a retry. */
import { target } from "./record";
import type { ReleaseRecord } from "./record";
import { Refusal } from "./failure";
import { releaseId } from "./release";
import { isLive, retry } from "./transitions";
import type { Observed } from "./transitions";
import type { Resolution } from "./resolution";

/**
 * The next record: its migrate step first corrects the journal, then the release continues where it stopped. If the
 * recorded release is live, only the journal changes. Idempotent on the database.
 * @param reinstall whether the candidate is not installed on every server; see {@link retry}.
 * @throws Refusal if no release with migrations is recorded: then no step can reach the journal.
 */
export function resolve(
  record: ReleaseRecord,
  observed: Observed,
  resolution: Resolution,
  reinstall: boolean,
): ReleaseRecord {
  const candidate = target(record);
  const { script } = resolution;
  if (candidate === null) {
    throw new Refusal(
      "nothing-to-resolve",
      `record ${record.sequence} has no release, so no step can reach the database: release the version that brings ${script} first (it stops there, before anything is installed), then resolve it`,
    );
  }
  if (candidate.migrations === undefined) {
    throw new Refusal(
      "nothing-to-resolve",
      `${releaseId(candidate)} in record ${record.sequence} brings no migrations: release the version that brings ${script} first (it stops there, before anything is installed), then resolve it`,
    );
  }
  // A live release that does not answer everywhere needs a heal, which waits for the journal too.
  return {
    ...retry(record, observed, reinstall && !isLive(record, observed)),
    migrate: true,
    resolve: [resolution],
  };
}
