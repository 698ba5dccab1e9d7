/**
 * Polls for a lock, and is idle in between. A statement that waits on the server would hold a snapshot there, with which
 * another session's CREATE INDEX CONCURRENTLY deadlocks; and a statement time limit would end it.
 */
import { setTimeout as sleep } from "node:timers/promises";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** @param onWait is called once, after a first failed attempt. @returns whether an attempt succeeded in time. */
export async function poll(
  attempt: () => Promise<boolean>,
  waitSeconds: number,
  onWait: () => void = () => undefined,
): Promise<boolean> {
  const until = performance.now() + waitSeconds * 1000;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
    if (await attempt()) return true;
    if (pause === FIRST_PAUSE_MS) onWait();
    const left = until - performance.now();
    if (left <= 0) return false;
    await sleep(Math.min(pause, left));
  }
}
