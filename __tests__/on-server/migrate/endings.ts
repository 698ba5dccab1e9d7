/** What a migrator said at its end, for the suites that compare its words. */
import type { Ended, Operations } from "./operations";

/** @returns why it ended so: the reason of its result, which is its last line on stderr, too. */
export function reasonOf({ stderr, result }: Ended): string {
  const reason = String(result["reason"]);
  expect(stderr.trim().split("\n").at(-1)).toBe(`migrate: ${reason}`);
  return reason;
}

/** Of a run that was refused before it did anything: it said no more than that. */
export async function refusal(
  operations: Operations,
  ...run: Parameters<Operations["run"]>
): Promise<{ exitCode: number | null; reason: string }> {
  const ended = await operations.run(...run);
  expect(ended.stderr.trim().split("\n")).toHaveLength(1);
  return { exitCode: ended.exitCode, reason: reasonOf(ended) };
}
