/** Starts run-hook.sh as a step and the command do, with a hook of an environment file. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readHookRun } from "../../../release/hook-run";
import type { HookRun } from "../../../release/hook-run";
import { hookParameters, hooksAt } from "../../../release/hooks";
import type { When } from "../../../release/hooks";
import { follow } from "../../../development/testbed/processes";
import type { Ran as Ended } from "../../../development/testbed/processes";
import { environmentOf } from "../../release/examples";

const SCRIPT = "on-server/hooks/run-hook.sh";

export interface Ran extends Ended {
  /** The script's own line on stderr, for people. */
  readonly last: string;
  /** How the hook ended, as the result line has it. */
  readonly run: HookRun | undefined;
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ran>;
}

export class Project {
  readonly folder = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-hook-"));

  start(hook: object, facts: object = {}, env: NodeJS.ProcessEnv = {}, script = SCRIPT): Running {
    const { when } = { when: "before switch" as When, ...hook };
    const [parsed] = hooksAt(environmentOf({ hooks: [{ when, name: "smoke", ...hook }] }), when);
    const child = spawn("bash", [script], {
      env: { ...process.env, ...hookParameters(parsed!, facts), PROJECT_FOLDER: this.folder, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { pid, ended } = follow(child);
    return {
      pid,
      ended: ended.then((ran) => ({
        ...ran,
        last: ran.stderr.trim().split("\n").at(-1)!,
        run: readHookRun(ran.stdout)?.run,
      })),
    };
  }

  run(hook: object, facts?: object, env?: NodeJS.ProcessEnv, script?: string): Promise<Ran> {
    return this.start(hook, facts, env, script).ended;
  }

  has(file: string): boolean {
    return existsSync(join(this.folder, file));
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), "utf8");
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a process still runs; one that ended and was not waited for yet does not. */
export function runs(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid.trim()}/stat`, "utf8"));
  } catch {
    return false;
  }
}
