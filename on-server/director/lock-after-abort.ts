/** The proxy's lock for steps that win over a running one: it is asked to stop, and rolls back before it ends. */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { DirectorSpec } from "../../configuration/director-spec";
import { EXIT } from "../../release/exit-code";
import { Failure } from "../../release/failure";
import { isLocked, lockHolder } from "../../system/process-lock";
import type { ProcessLock } from "../../system/process-lock";
import { requestAbort, requestHaste, withdrawHaste } from "./interruption";
import { LOCK_FILE, tryDirectorLock } from "./lock";
import { StateFile } from "./state";
import type { State } from "./state";

const POLL_MS = 100;

/** For `abort`: the running step drains before it ends. @throws Failure (refused) if it does not end. */
export async function lockAfterAbort(spec: DirectorSpec): Promise<ProcessLock> {
  const { drainSeconds } = spec.schedule;
  const seconds = drainSeconds + spec.verification.timeoutSeconds + 30;
  requestAbort(Math.max(spec.sequence, new StateFile().load().sequence));
  const lock = await lockWithin(`abort ${spec.sequence}`, seconds);
  if (lock !== null) return lock;
  throw new Failure(
    `the running director did not stop within ${seconds} s; the request to abort stays in place. Check events.jsonl on this proxy, then run \`bluegreen abort\` again`,
    EXIT.refused,
  );
}

interface TakenLock {
  readonly lock: ProcessLock;
  /** The state before a running director was asked to stop; null if none ran. */
  readonly interrupted: State | null;
}

/** For break glass: users wait, so the running step doesn't drain. @throws Failure (refused) if it does not end. */
export async function lockAtOnce({ verification }: DirectorSpec): Promise<TakenLock> {
  const step = "rollback by hand";
  if (!existsSync(LOCK_FILE) || !(await isLocked(LOCK_FILE))) {
    const lock = await tryDirectorLock(step);
    if (lock !== null) return { lock, interrupted: null };
  }
  const interrupted = new StateFile().load();
  // It needs a probe to notice, and one to find stable healthy.
  const seconds = 2 * verification.timeoutSeconds + 5;
  console.error(
    `director rollback: another director runs (${lockHolder(LOCK_FILE)}): it is asked to stop, for at most ${seconds} s`,
  );
  requestAbort(interrupted.sequence);
  requestHaste();
  try {
    const lock = await lockWithin(step, seconds);
    if (lock !== null) return { lock, interrupted };
  } finally {
    withdrawHaste();
  }
  throw new Failure(
    `the running director hangs: it did not stop within ${seconds} s (${lockHolder(LOCK_FILE)}). Users stay where they are. End it with kill -9 and its process number, then run this again`,
    EXIT.refused,
  );
}

async function lockWithin(step: string, seconds: number): Promise<ProcessLock | null> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const lock = await tryDirectorLock(step);
    if (lock !== null || performance.now() >= deadline) return lock;
    await sleep(POLL_MS);
  }
}
