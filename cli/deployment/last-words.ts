/**
 * Waits for what directors say after Terraform, or one of its steps, was ended by a signal. A director then rolls back by
 * itself, and its result says what users get; Terraform only knows of the signal.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { ReleaseRecord } from "../../release/record";
import type { Survey } from "../../release/taking-part";
import type { Proxies } from "../proxies/proxies";

/** A rollback takes seconds. One that drains longer is not waited for. */
const PATIENCE_MS = 20_000;
const POLL_MS = 500;

/** @param working the proxies whose step has not ended, as far as Terraform knows. */
export async function surveyOnceEnded(
  proxies: Pick<Proxies, "reachable" | "survey">,
  record: ReleaseRecord,
  working: readonly string[],
): Promise<Survey> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const survey = await proxies.survey(record, record.leftOut);
    const works = survey.statuses.some(
      ({ proxy, state: { sequence, finished, result } }) =>
        working.includes(proxy) &&
        sequence === record.sequence &&
        !(finished && result?.sequence === sequence && result.step !== "begin"),
    );
    if (!works || !proxies.reachable || performance.now() > until) return survey;
    await pause(POLL_MS);
  }
}
