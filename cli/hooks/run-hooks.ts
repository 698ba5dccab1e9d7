/**
 * Runs the hooks of a whole sequence, `before release` and `after release`, on the command's machine. The hooks of the
 * phases are steps of the web stack. One script runs both, so the same rules hold for all.
 */
import { Failure } from "../../release/failure";
import { join } from "node:path";
import execa from "execa";
import { EXIT } from "../../release/exit-code";
import { appliesTo, hookParameters, hooksAt } from "../../release/hooks";
import type { HookFacts, HookOutcome } from "../../configuration/hook-facts";
import type { Hook, When } from "../../release/hooks";
import { readHookRun } from "../../release/hook-run";
import type { HookRun } from "../../release/hook-run";
import type { Project } from "../project/project";
import type { Progress } from "../terminal/progress";

const SCRIPT = join(__dirname, "..", "..", "on-server", "hooks", "run-hook.sh");

/**
 * @param facts of `hookFacts`, with the outcome after the release.
 * @returns the hooks that ran. One that failed after the release stops nothing, and is reported.
 * @throws Failure (3) if a hook before the release fails; later hooks do not run.
 */
export async function runHooks(
  project: Project,
  when: Extract<When, `${string} release`>,
  facts: HookFacts & Partial<HookOutcome>,
  progress: Progress,
): Promise<HookRun[]> {
  const hooks = hooksAt(project.environment, when).filter((hook) => appliesTo(hook, facts.strategy));
  const runs: HookRun[] = [];
  for (const hook of hooks) {
    progress.now(`hook '${hook.name}' ${when}`);
    runs.push(await runHook(project, hook, facts, progress));
  }
  return runs;
}

async function runHook(project: Project, hook: Hook, facts: object, progress: Progress): Promise<HookRun> {
  const { exitCode, signal, stdout, stderr } = await execa("bash", [SCRIPT], {
    cwd: project.folder,
    env: { ...hookParameters(hook, facts), PROJECT_FOLDER: "." },
    stdin: "ignore",
    reject: false,
  });
  // The last line repeats the result, for people.
  const lines = stderr.split("\n").filter((line) => line !== "");
  for (const line of lines.slice(0, -1)) progress.note(line);
  const ended = readHookRun(stdout);
  if (ended === null) {
    const last = lines.at(-1) ?? "";
    throw new Error(`run-hook.sh ended by ${signal ?? `exit code ${exitCode}`}: ${last}`);
  }
  if (exitCode !== 0) throw new Failure(`${ended.reason}; nothing was changed`, EXIT.refused);
  progress.note(ended.reason);
  return ended.run;
}
