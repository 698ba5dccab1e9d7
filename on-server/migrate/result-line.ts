/** The migrator's result line, short enough for the part of its output that a step shows. */
import { printResult } from "../result";

/** The limit of result-line.sh and Azure's 4 KiB: a longer line would not count as a result. */
const LONGEST_LINE = 3_200;
/** The lists to shorten, in this order: long histories first, what needs action last. */
const SHORTENED = ["applied", "ahead", "adopted", "waiting"] as const;
const LONGEST_REASON = 1_500;

/** @param result with an `outcome`; long lists are shortened to their end, and `left` counts the dropped entries. */
export function printShortened(result: Readonly<Record<string, unknown>>): Promise<void> {
  return printResult(shortened(result));
}

export function shortened(result: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { reason } = result;
  const shortReason = typeof reason === "string" ? { reason: reason.slice(0, LONGEST_REASON) } : {};
  let line: Record<string, unknown> = { ...result, ...shortReason };
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
