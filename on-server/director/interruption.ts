/** A signal, or the request that `abort` writes to a file, stops a running step before its next effect. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { writeAtomically } from "../../system/atomic-file";

const ABORT_FILE = "abort-requested";
/** Exists while an operator waits to break the glass. */
const HASTE_FILE = "haste-requested";

export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

export interface Interruption {
  /** @throws Interrupted after a signal or a request to abort. */
  check(): void;
  /** Whether users wait for this director's end: it skips what only delays that. Absent: never. */
  isUrgent?(): boolean;
}

export class SignalsAndFile implements Interruption {
  private signal: string | undefined;

  constructor(private readonly sequence: number) {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => (this.signal = signal));
  }

  check(): void {
    if (this.signal !== undefined) throw new Interrupted(`aborted by ${this.signal}`);
    if (abortRequest() === this.sequence) throw new Interrupted("aborted by an operator");
  }

  isUrgent(): boolean {
    return existsSync(HASTE_FILE);
  }
}

/** The sequence to abort, if any. */
function abortRequest(): number | null {
  return existsSync(ABORT_FILE) ? Number(readFileSync(ABORT_FILE, "utf8")) : null;
}

export function requestAbort(sequence: number): void {
  writeAtomically(ABORT_FILE, String(sequence));
}

export function clearAbortRequest(): void {
  rmSync(ABORT_FILE, { force: true });
}

export function requestHaste(): void {
  writeAtomically(HASTE_FILE, "");
}

export function withdrawHaste(): void {
  rmSync(HASTE_FILE, { force: true });
}
