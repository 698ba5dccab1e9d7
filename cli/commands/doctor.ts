/** doctor: whether a release can go well here. */
import type { Command } from "commander";
import { common, progressFor } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";

export function addDoctor(program: Command): void {
  common(program.command("doctor"))
    .description("check whether a release can go well here, and say how to mend what can't")
    .action(async (options: CommonOptions) => {
      const { diagnose, formatDiagnosis } = await import("../setup/doctor/doctor.js");
      const diagnosis = await diagnose(process.cwd(), options.environment, progressFor(options));
      console.log(options.json === true ? JSON.stringify(diagnosis, null, 2) : formatDiagnosis(diagnosis));
      endWith(diagnosis.exitCode);
    });
}

/** What a check waits for in vain must not keep the command from ending. */
function endWith(exitCode: number): void {
  process.stdout.write("", () => process.exit(exitCode));
}
