import { setTimeout as sleep } from "node:timers/promises";

/** Long enough for a busy machine: a test that waits this long has failed. */
const PATIENCE_MS = 60_000;

/** Waits until a condition holds; one that never does is a failure that is named. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await sleep(10);
  }
}
