/** When an endpoint that fails the director's requests is down, not only unlucky. Pure. */

/** Rounds of requests to one endpoint. */
export interface Rounds {
  readonly asked: number;
  /** Failed ones before the current run of failures. */
  readonly failed: number;
  readonly failedInARow: number;
  /** The last one's problem; empty if there was none. */
  readonly problem: string;
}

const LEAST_IN_A_ROW = 3;
const MOST_IN_A_ROW = 12;
/** A run by chance: once in so many rounds. */
const CHANCE = 1e-6;
const LEAST_RATIO = 0.01;

/**
 * The more often requests fail by chance, the longer a run of failures has to be.
 * @param usual the part of stable's answers that fails.
 */
export function isDown({ asked, failed, failedInARow }: Rounds, usual: number): boolean {
  const ratio = Math.max(LEAST_RATIO, usual, failed / Math.max(1, asked - failedInARow));
  const longest = ratio >= 1 ? MOST_IN_A_ROW : Math.ceil(Math.log(CHANCE) / Math.log(ratio) - 1e-9);
  return failedInARow >= Math.min(MOST_IN_A_ROW, Math.max(LEAST_IN_A_ROW, longest));
}
