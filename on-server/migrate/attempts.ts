/**
 * Retries with a new connection while the database moves, starts or cannot be reached. That is always safe: what was
 * committed is in the journal, which is read again before anything runs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SessionLost } from "./databases/database";

const PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000];

export interface Patience {
  readonly say: (line: string) => void;
  /** Fewer attempts, because the caller can continue without the database. */
  readonly isShort: boolean;
}

/** @throws SessionLost if it was lost each time; any other error that `attempt` throws. */
export async function patiently<Result>(
  attempt: () => Promise<Result>,
  { say, isShort }: Patience,
): Promise<Result> {
  for (const pause of isShort ? PAUSES_MS.slice(0, 2) : PAUSES_MS) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof SessionLost)) throw error;
      say(`${error.message}; retrying in ${pause / 1000} s`);
      await sleep(pause);
    }
  }
  return attempt();
}
