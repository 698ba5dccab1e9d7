/** abort: traffic back on stable at once; asks nobody. */
import type { Command } from "commander";
import { printOutcome } from "../command-line/carry-out";
import { common, findTools, open, progressFor } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { abort } from "../deployment/operations";

export function addAbort(program: Command): void {
  common(program.command("abort").alias("cancel"))
    .description("put traffic back on the stable release at once, and cancel the candidate; asks nobody")
    .action(async (options: CommonOptions) => {
      printOutcome(options, await abort(open(options), await findTools(progressFor(options))));
    });
}
