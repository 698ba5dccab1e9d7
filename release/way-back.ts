/** Whether a sequence leaves the live release for one that was live before. Pure. */
import { analysisSettings } from "./schedule";
import type { Schedule } from "./schedule";

/**
 * Users of the release that is left may get failed answers meanwhile, and its pages may differ: nothing of that may stop a
 * rollback. Earlier versions wrote no `rollsBack`: their rollbacks are retries that expect changes.
 */
export function isWayBack({
  rollsBack,
  retry,
  schedule,
}: {
  readonly rollsBack?: boolean | undefined;
  readonly retry?: boolean | undefined;
  readonly schedule?: Pick<Schedule, "analysis"> | undefined;
}): boolean {
  if (rollsBack !== undefined || schedule === undefined) return rollsBack === true;
  return retry === true && analysisSettings(schedule.analysis).expectChange;
}
