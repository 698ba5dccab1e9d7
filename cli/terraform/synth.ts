/** Synthesizes the stacks from environment and record, with the project's CDKTF app. */
import { Failure } from "../../release/failure";
import { join } from "node:path";
import execa from "execa";
import type { Environment } from "../../configuration/environment";
import { EXIT } from "../../release/exit-code";
import { workFolder } from "../../configuration/naming";
import { formatRecord } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { writeAtomically } from "../../system/atomic-file";
import { withPrivateFiles } from "../../system/private-files";
import { platformFile } from "../project/project";
import type { Project } from "../project/project";

const PLANNED_RECORD = "planned-record.json";

/** The absolute path of the last synth's record. It may not exist yet. */
export function plannedRecordFile({ folder, environment }: Project): string {
  return join(folder, workFolder(environment), PLANNED_RECORD);
}

/** The absolute path of the last synth's stacks. It may not exist yet. */
export function synthesizedFolder({ folder, environment }: Project): string {
  return join(folder, outputOf(environment));
}

function outputOf(environment: Environment): string {
  return join(workFolder(environment), "cdktf.out");
}

/** @returns the output folder. The record may differ from the environment's current one. */
export async function synthesize(project: Project, record: ReleaseRecord): Promise<string> {
  const output = outputOf(project.environment);
  const recordFile = platformFile(project, PLANNED_RECORD);
  writeAtomically(recordFile, formatRecord(record));
  const [command, ...args] = project.synth;
  const { exitCode, stderr, stdout } = await withPrivateFiles(() =>
    execa(command, args, {
      cwd: project.folder,
      env: {
        BLUEGREEN_ENVIRONMENT: project.environmentFile,
        BLUEGREEN_RECORD: recordFile,
        CDKTF_OUTDIR: output,
      },
      stdin: "ignore",
      detached: true,
      reject: false,
    }),
  );
  if (exitCode !== 0) {
    throw new Failure(
      `synth failed: ${lastMessage(stderr || stdout)}`,
      exitCode === EXIT.badInput ? EXIT.badInput : EXIT.unexpected,
    );
  }
  return synthesizedFolder(project);
}

/** The last lines that an app printed before it failed, without the stack and the version that Node adds to an error. */
export function lastMessage(output: string): string {
  const lines = output.split("\n").filter((line) => !/^\s*(?:at .*|Node\.js v[\d.]+|[}^]?)$/.test(line));
  return lines.slice(-3).join(" ").trim();
}
