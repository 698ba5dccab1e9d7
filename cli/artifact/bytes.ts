/** Formats sizes, and reports the progress of something large. */
import type { Progress } from "../terminal/progress";

/** Shorter work is not reported. */
const QUIET_MS = 1_000;
/** A log gets a line for each twentieth of the bytes. */
const PARTS = 20;
/** Bytes per line if the total is unknown. */
const STRIDE_BYTES = 50_000_000;

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`;
  const [unit, size] = bytes < 1e6 ? ["kB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${(bytes / size).toFixed(1)} ${unit}`;
}

/** @returns a function to call with the bytes done so far. @param what the work, as in "packing app". */
export function byteProgress(progress: Progress, what: string): (done: number, total?: number) => void {
  let reportedAt = Date.now();
  let reported = 0;
  return (done, total) => {
    const stride = total === undefined ? STRIDE_BYTES : total / PARTS;
    if (Date.now() - reportedAt < QUIET_MS || done - reported < stride) return;
    reportedAt = Date.now();
    reported = done;
    const of = total === undefined ? "" : ` of ${formatBytes(total)}`;
    progress.now(`${what}: ${formatBytes(done)}${of}`);
  };
}
