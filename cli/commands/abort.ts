/** abort: rolls back to stable at once, without a question. */
import type { Command } from "commander";
import { printOutcome } from "../command-line/closing-lines";
import { common, findTools, open, progressFor } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { WITHOUT, withoutFrom } from "../command-line/without-option";
import type { WithoutOptions } from "../command-line/without-option";
import { abort } from "../deployment/operations";

export function addAbort(program: Command): void {
  common(program.command("abort").alias("cancel"))
    .description("roll back to the stable release at once and cancel the candidate, without a question")
    .option(...WITHOUT)
    .action(async (options: CommonOptions & WithoutOptions) => {
      const tools = await findTools(progressFor(options));
      printOutcome(options, await abort(open(options), tools, withoutFrom(options)));
    });
}
