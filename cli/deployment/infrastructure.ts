/** Deploys and destroys base from the command; on the local platform only. */
import { Failure } from "../../release/failure";
import { EXIT } from "../../release/exit-code";
import { shortAddress } from "../../release/steps";
import { requireLocal } from "../../configuration/platform";
import type { ReleaseRecord } from "../../release/record";
import { readRecord } from "../project/project";
import type { Project } from "../project/project";
import { lockProject } from "../project/project-lock";
import { Stack } from "../terraform/stack";
import { synthesize } from "../terraform/synth";
import type { Tools } from "./tools";

export async function deployBase(project: Project, tools: Tools, record: ReleaseRecord): Promise<void> {
  tools.progress.now("deploying base");
  const base = new Stack(await synthesize(project, record), "base", tools.terraform);
  const { invocations } = await base.plan();
  for (const { address, trigger } of invocations) tools.progress.note(`base invokes ${address} (${trigger})`);
  const result = await base.apply({
    onStep: (address) => tools.progress.now(`base: ${shortAddress(address)}`),
  });
  if (!result.succeeded) {
    const exitCode = result.exitCode === EXIT.refused ? EXIT.refused : EXIT.unexpected;
    throw new Failure(`base was not deployed: ${result.reasons.join("; ")}`, exitCode);
  }
  tools.progress.done("base is deployed");
}

/** Destroys web, then base. The record stays. */
export async function takeDown(project: Project, { progress, terraform }: Tools): Promise<void> {
  requireLocal(project.environment, "`bluegreen down`");
  const lock = await lockProject(project, "down", { progress });
  try {
    const output = await synthesize(project, readRecord(project));
    for (const name of ["web", "base"] as const) {
      progress.now(`destroying ${name}`);
      const stack = new Stack(output, name, terraform);
      await stack.plan({ destroy: true });
      const result = await stack.apply({ onStep: () => undefined });
      if (!result.succeeded)
        throw new Failure(`${name} was not destroyed: ${result.reasons.join("; ")}`, EXIT.unexpected);
    }
    progress.done(`${project.environment.name} is down; data and record stay`);
  } finally {
    progress.stop();
    lock.release();
  }
}
