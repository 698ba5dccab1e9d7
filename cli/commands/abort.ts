/** abort: rolls back to stable at once, without a question. */
import type { Command } from "commander";
import { printOutcome } from "../command-line/carry-out";
import { common, findTools, open, progressFor } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { abort } from "../deployment/operations";

export function addAbort(program: Command): void {
  common(program.command("abort").alias("cancel"))
    .description("roll back to the stable release at once and cancel the candidate, without a question")
    .action(async (options: CommonOptions) => {
      printOutcome(options, await abort(open(options), await findTools(progressFor(options))));
    });
}
