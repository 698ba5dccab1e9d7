/**
 * A database that moves, starts or is cut off for a moment is asked again with a new connection. That is safe at any
 * moment: what was committed is in the journal, and is read again before anything runs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SessionLost } from "./databases/database";

const PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000];

export interface Patience {
  readonly say: (line: string) => void;
  /** Where there is another way out than waiting. */
  readonly isShort: boolean;
}

/** @throws SessionLost where it was lost each time; what else `attempt` throws. */
export async function patiently<Result>(
  attempt: () => Promise<Result>,
  { say, isShort }: Patience,
): Promise<Result> {
  for (const pause of isShort ? PAUSES_MS.slice(0, 2) : PAUSES_MS) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof SessionLost)) throw error;
      say(`${error.message}; again in ${pause / 1000} s`);
      await sleep(pause);
    }
  }
  return attempt();
}
