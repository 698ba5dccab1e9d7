/** Turns environment and record into the stacks' Terraform files, by running the project's CDKTF app. */
import { join } from "node:path";
import execa from "execa";
import { workFolder } from "../../release/naming";
import { formatRecord } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { writeAtomically } from "../../system/atomic-file";
import { OperatorError } from "../operator-error";
import { platformFile } from "../project/project";
import type { Project } from "../project/project";

/** @returns the output folder. The record need not be the environment's record yet. */
export async function synthesize(project: Project, record: ReleaseRecord): Promise<string> {
  const output = join(workFolder(project.environment), "cdktf.out");
  const recordFile = platformFile(project, "planned-record.json");
  writeAtomically(recordFile, formatRecord(record));
  const [command, ...args] = project.synth;
  const { exitCode, stderr, stdout } = await execa(command, args, {
    cwd: project.folder,
    env: {
      BLUEGREEN_ENVIRONMENT: project.environmentFile,
      BLUEGREEN_RECORD: recordFile,
      CDKTF_OUTDIR: output,
    },
    stdin: "ignore",
    detached: true,
    reject: false,
  });
  if (exitCode !== 0) {
    const said = (stderr || stdout).trim().split("\n").slice(-3).join(" ");
    throw new OperatorError(`synth failed: ${said}`, exitCode === 2 ? 2 : 1);
  }
  return join(project.folder, output);
}
