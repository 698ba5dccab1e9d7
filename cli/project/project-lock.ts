/** One release at a time in a project's environment: what is synthesized and applied must not change meanwhile. */
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { lockHolder, tryLock } from "../../system/process-lock";
import type { ProcessLock } from "../../system/process-lock";
import { OperatorError } from "../operator-error";
import { platformFile } from "./project";
import type { Project } from "./project";

const POLL_MS = 200;

/** @param waitSeconds how long to wait for the one that holds it. @throws OperatorError (refused) naming it. */
export async function lockProject(project: Project, waitSeconds = 0): Promise<ProcessLock> {
  const file = platformFile(project, "release.lock");
  const deadline = Date.now() + waitSeconds * 1000;
  for (;;) {
    const lock = await tryLock(
      file,
      `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}`,
    );
    if (lock !== null) return lock;
    if (Date.now() >= deadline) {
      throw new OperatorError(
        `another release is at work here (${lockHolder(file)}): wait for it, or \`bluegreen abort\``,
        3,
      );
    }
    await sleep(POLL_MS);
  }
}
