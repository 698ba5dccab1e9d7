/** The migrator's last line: all that is known of a migration from afar, in no more bytes than a step shows of it. */
import { printResult } from "../result";

/** result-line.sh and Azure's 4 KiB: what is longer would be no result at all. */
const LONGEST_LINE = 3_200;
/** Lists that give way, the longest history first; what a person has to act on comes last. */
const SHORTENED = ["applied", "ahead", "adopted", "waiting"] as const;
const LONGEST_REASON = 1_500;

/** @param result with an `outcome`; of lists that are too long, the end is shown, and `left` has how many are not. */
export function tell(result: Readonly<Record<string, unknown>>): Promise<void> {
  return printResult(shortened(result));
}

export function shortened(result: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { reason } = result;
  const words = typeof reason === "string" ? { reason: reason.slice(0, LONGEST_REASON) } : {};
  let line: Record<string, unknown> = { ...result, ...words };
  let left = 0;
  for (const name of SHORTENED) {
    while (isTooLong(line)) {
      const list = line[name];
      if (!Array.isArray(list) || list.length === 0) break;
      const dropped = Math.ceil(list.length / 8);
      left += dropped;
      line = { ...line, [name]: list.slice(dropped), left };
    }
  }
  return line;
}

function isTooLong(line: Record<string, unknown>): boolean {
  return Buffer.byteLength(JSON.stringify(line)) > LONGEST_LINE;
}
