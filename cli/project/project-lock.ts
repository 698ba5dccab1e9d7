/** Allows one release at a time in a project's environment: its files must not change during synth and apply. */
import { Failure } from "../../release/failure";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT } from "../../release/exit-code";
import { stateFile, workFolder } from "../../configuration/naming";
import { isLocked, lockHolder, tryLock } from "../../system/process-lock";
import type { ProcessLock } from "../../system/process-lock";
import type { Progress } from "../terminal/progress";
import { formatPerson, currentPerson } from "./person";
import { platformFile } from "./project";
import type { Project } from "./project";
import { exists } from "./files";

const LOCK = "release.lock";
const POLL_MS = 200;

export interface LockOptions {
  /** How long to wait for the holder. @default 0 */
  readonly waitSeconds?: number;
  /** Shows the previous holder if it ended without releasing the lock. */
  readonly progress?: Progress;
}

/** Whether this command or Terraform alone is running in the project. Takes no lock. */
export async function isReleaseRunning(project: Project): Promise<boolean> {
  const { folder, environment } = project;
  if (exists(terraformLock(folder, stateFile(environment, "web")))) return true;
  const file = join(folder, lockFile(project));
  return exists(file) && (await isLocked(file));
}

/** As Terraform's local backend names it. @param state relative to the folder. */
export function terraformLock(folder: string, state: string): string {
  return join(folder, dirname(state), `.${basename(state)}.lock.info`);
}

/** Relative to the project. */
export function lockFile({ environment }: Project): string {
  return `${workFolder(environment)}/${LOCK}`;
}

/** @throws Failure (refused) naming the holder: user, host, pipeline run. */
export async function lockProject(
  project: Project,
  what: string,
  { waitSeconds = 0, progress }: LockOptions = {},
): Promise<ProcessLock> {
  const file = platformFile(project, LOCK);
  const deadline = performance.now() + waitSeconds * 1000;
  const holder = `${what} by ${formatPerson(currentPerson())}, process ${process.pid}, since ${new Date().toISOString()}`;
  let saysSo = waitSeconds > 0;
  for (;;) {
    const lock = await tryLock(file, holder);
    if (lock !== null) {
      if (lock.takenOverFrom !== null) {
        progress?.note(`the lock is taken over: ${lock.takenOverFrom} ended without releasing it`);
      }
      return lock;
    }
    if (performance.now() >= deadline) {
      throw new Failure(
        `another release is running here (${lockHolder(file)}): wait for it, or \`bluegreen abort\``,
        EXIT.refused,
      );
    }
    if (saysSo) progress?.note(`waiting for at most ${waitSeconds} s until this ends: ${lockHolder(file)}`);
    saysSo = false;
    await sleep(POLL_MS);
  }
}
