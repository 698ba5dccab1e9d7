/**
 * Waits for clients that are still active in the slot that a sequence needs. No lock is held meanwhile, and nothing has been
 * changed yet: another command may roll the live release back.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describeDraining, waitsFor } from "../../release/draining";
import type { Draining } from "../../release/draining";
import type { ProxyStatus } from "../../release/director-status";
import type { ReleaseRecord } from "../../release/record";
import { sequenceOf } from "../../release/sequence";
import type { Proxies } from "../proxies/proxies";
import type { Progress } from "../terminal/progress";

const POLL_MS = 2_000;
const MINUTE_SECONDS = 60;

/** What a record waits for on the proxy where it takes longest; null if it may begin. Only a proxy that can be asked knows. */
export function longestDraining(next: ReleaseRecord, statuses: readonly ProxyStatus[]): Draining | null {
  const asked = sequenceOf(next);
  const waiting = statuses.flatMap(({ draining, at }) =>
    draining === undefined || at !== undefined || !waitsFor(asked, draining) ? [] : [draining],
  );
  return waiting.sort((one, other) => other.secondsLeft - one.secondsLeft)[0] ?? null;
}

interface Planned {
  readonly before: ReleaseRecord;
  readonly next: ReleaseRecord;
  readonly proxies: Pick<Proxies, "survey">;
}

/** @param draining what the plan found. */
export async function waitUntilDrained(
  { before, next, proxies }: Planned,
  draining: Draining,
  progress: Progress,
): Promise<void> {
  progress.note(
    `${describeDraining(draining, Date.now())}. Nothing was changed yet; --now ends those sessions`,
  );
  for (let left: Draining | null = draining; left !== null;) {
    progress.now(`waiting for clients of ${left.releaseId} in ${left.slot}: ${remaining(left)}`);
    await sleep(Math.min(POLL_MS, left.secondsLeft * 1_000));
    left = longestDraining(next, (await proxies.survey(before, next.leftOut)).statuses);
  }
  progress.done(`clients of ${draining.releaseId} in ${draining.slot} are no longer waited for`);
}

/** In whole minutes while there are some: a log gets a line for each change. */
function remaining({ secondsLeft, mostSeconds }: Draining): string {
  const time = (seconds: number) =>
    seconds > 2 * MINUTE_SECONDS ? `${Math.ceil(seconds / MINUTE_SECONDS)} min` : `${seconds} s`;
  return secondsLeft < mostSeconds
    ? `free in ${time(secondsLeft)} if none asks again, in ${time(mostSeconds)} at the latest`
    : `free in ${time(mostSeconds)}`;
}
