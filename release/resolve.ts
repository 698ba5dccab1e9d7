/** The transition that tells the database's journal what became of a script, and then goes on as a retry. */
import { target } from "./record";
import type { ReleaseRecord } from "./record";
import { Refusal } from "./failure";
import { releaseId } from "./release";
import { isLive, retry } from "./transitions";
import type { Observed } from "./transitions";
import type { Resolution } from "./resolution";

/**
 * The next record: its migrate step first corrects the journal, then the release goes on where it stopped. Where the
 * recorded release is live, only the journal changes. Idempotent on the database: what is resolved already stays so.
 * @param reinstall whether the candidate's install is missing somewhere; see {@link retry}.
 * @throws Refusal where no release with migrations is recorded: there is no step that could reach the journal.
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
      `record ${record.sequence} has no release, so there is no step that reaches the database: release the version that brings ${script} first (it stops there, before anything is installed), then resolve it`,
    );
  }
  if (candidate.migrations === undefined) {
    throw new Refusal(
      "nothing-to-resolve",
      `${releaseId(candidate)} in record ${record.sequence} brings no migrations: release the version that brings ${script} first (it stops there, before anything is installed), then resolve it`,
    );
  }
  // A live release that does not answer everywhere is for a heal, which waits for the journal, too.
  return {
    ...retry(record, observed, reinstall && !isLive(record, observed)),
    migrate: true,
    resolve: [resolution],
  };
}
