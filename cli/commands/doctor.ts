/** doctor: checks that this machine and project are ready for a release. */
import type { Command } from "commander";
import { common, progressFor } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { projectFolder } from "../project/project";

export function addDoctor(program: Command): void {
  common(program.command("doctor"))
    .description("check what a release needs here, and show how to fix what is missing")
    .action(async (options: CommonOptions) => {
      const { diagnose, formatDiagnosis } = await import("../setup/doctor/doctor.js");
      const folder = projectFolder(options.environment);
      const diagnosis = await diagnose(folder, options.environment, progressFor(options));
      console.log(options.json === true ? JSON.stringify(diagnosis, null, 2) : formatDiagnosis(diagnosis));
      endWith(diagnosis.exitCode);
    });
}

/** A check that still waits must not keep the command from ending. */
function endWith(exitCode: number): void {
  process.stdout.write("", () => process.exit(exitCode));
}
