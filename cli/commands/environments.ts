/** preview and down: what is about an environment, not about one release. */
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import { takeDown } from "../deployment/infrastructure";
import { formatPreview, newPreview } from "../project/preview";
import { common, findTools, open, progressFor } from "./command-line";
import type { CommonOptions } from "./command-line";

export function addEnvironmentCommands(program: Command): void {
  program
    .command("preview")
    .description("make a secret with which people see a release before it gets traffic")
    .option("--json", "print it as JSON on stdout")
    .action(({ json }: { json?: boolean }) => {
      const made = newPreview();
      console.log(json === true ? JSON.stringify(made, null, 2) : formatPreview(made));
    });

  common(program.command("down"))
    .description("stop everything that the local environment runs; data and record stay")
    .action(async (options: CommonOptions) => {
      const project = open(options);
      await takeDown(project, await findTools(progressFor(options)));
      if (options.json)
        console.log(
          JSON.stringify({ environment: project.environment.name, outcome: "down", exitCode: EXIT.done }),
        );
    });
}
