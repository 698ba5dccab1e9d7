/** Sizes for people, and how far something large has got. */
import type { Progress } from "../terminal/progress";

/** Nothing is said of what takes no longer. */
const QUIET_MS = 1_000;
/** A log gets a line for each twentieth, not for each second. */
const PARTS = 20;
/** The same where nobody knows how much there will be. */
const STRIDE_BYTES = 50_000_000;

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`;
  const [unit, size] = bytes < 1e6 ? ["kB", 1e3] : bytes < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${(bytes / size).toFixed(1)} ${unit}`;
}

/** @returns what to call with the bytes done so far. @param what is done, as in "packing app". */
export function byteProgress(progress: Progress, what: string): (done: number, total?: number) => void {
  let saidAt = Date.now();
  let said = 0;
  return (done, total) => {
    const stride = total === undefined ? STRIDE_BYTES : total / PARTS;
    if (Date.now() - saidAt < QUIET_MS || done - said < stride) return;
    saidAt = Date.now();
    said = done;
    const of = total === undefined ? "" : ` of ${formatBytes(total)}`;
    progress.now(`${what}: ${formatBytes(done)}${of}`);
  };
}
