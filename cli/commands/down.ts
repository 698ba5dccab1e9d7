/** down: stops the local environment. */
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import { Failure } from "../../release/failure";
import { takeDown } from "../deployment/infrastructure";
import { common, findTools, open, progressFor } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { mayAsk, confirm } from "../terminal/questions";

export function addDown(program: Command): void {
  common(program.command("down"))
    .description("stop the local environment; data, record and receipts stay")
    .option("--yes", "ask no question; without a terminal there is none anyway")
    .action(async (options: CommonOptions & { yes?: boolean }) => {
      const project = open(options);
      const { name } = project.environment;
      if (mayAsk(options) && !(await confirm(`Stop ${name}? Its users get nothing until the next release.`)))
        throw new Failure("not confirmed: nothing was changed", EXIT.refused);
      await takeDown(project, await findTools(progressFor(options)));
      if (options.json)
        console.log(JSON.stringify({ environment: name, outcome: "down", exitCode: EXIT.done }));
    });
}
