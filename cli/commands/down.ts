/** down: stops the local environment. */
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import { takeDown } from "../deployment/infrastructure";
import { common, findTools, open, progressFor } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";

export function addDown(program: Command): void {
  common(program.command("down"))
    .description("stop the local environment; data, record and receipts stay")
    .action(async (options: CommonOptions) => {
      const project = open(options);
      await takeDown(project, await findTools(progressFor(options)));
      if (options.json)
        console.log(
          JSON.stringify({ environment: project.environment.name, outcome: "down", exitCode: EXIT.done }),
        );
    });
}
