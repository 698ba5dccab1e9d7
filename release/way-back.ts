/** Whether a sequence leaves the live release for one that was live before. Pure. */
import { analysisSettings } from "./schedule";
import type { Schedule } from "./schedule";

/**
 * Users of the release that is left may get failed answers meanwhile, and its pages may differ: nothing of that may stop a
 * rollback. Its record is a retry that expects changes, as that of a `retry --expect-change` is.
 */
export function isWayBack({
  retry,
  schedule,
}: {
  readonly retry?: boolean | undefined;
  readonly schedule?: Pick<Schedule, "analysis"> | undefined;
}): boolean {
  return retry === true && schedule !== undefined && analysisSettings(schedule.analysis).expectChange;
}
