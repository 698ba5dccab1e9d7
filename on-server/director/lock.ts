/** One director at a time on a proxy. */
import { Failure } from "../../release/failure";
import { hostname } from "node:os";
import { EXIT } from "../../release/exit-code";
import { lockHolder, tryLock } from "../../system/process-lock";
import type { ProcessLock } from "../../system/process-lock";

export const LOCK_FILE = "director.lock";

/** @returns null if another director is running. */
export async function tryDirectorLock(step: string): Promise<ProcessLock | null> {
  return tryLock(LOCK_FILE, `${step}, process ${process.pid} on ${hostname()}`);
}

export async function directorLock(step: string): Promise<ProcessLock> {
  const lock = await tryDirectorLock(step);
  if (lock !== null) return lock;
  throw new Failure(
    `another director is running on this proxy (${lockHolder(LOCK_FILE)}): wait until it ends, or \`bluegreen abort\``,
    EXIT.refused,
  );
}
