/** Runs a request as one sequence of the record, and prints the outcome. */
import type { Command } from "commander";
import { deploy } from "../deployment/deploy";
import type { Consent } from "../deployment/deploy";
import { stopHarmful } from "../deployment/operations";
import { formatPlan } from "../deployment/plan-text";
import { err } from "../terminal/colours";
import { mayAsk, confirm } from "../terminal/questions";
import { printOutcome } from "./closing-lines";
import { common, findTools, open, optionsOf, progressFor } from "./common";
import type { CommonOptions } from "./common";
import type { Request } from "./request";

interface ConsentOptions extends CommonOptions {
  readonly yes?: boolean;
  readonly token?: string;
  readonly overrideFreeze?: string;
}

/** Adds the command that runs a request. @param parent its options apply too. */
export function addRequest(parent: Command, request: Request): void {
  const command = withConsent(request.declare(common(parent.command(request.name))));
  const { withoutTerraform } = request;
  (withoutTerraform?.declare(command) ?? command).description(request.description).action(async () => {
    const options = optionsOf<ConsentOptions>(command);
    if ((await withoutTerraform?.carriedOut(options)) === true) return;
    const project = open(options);
    const tools = await findTools(progressFor(options));
    const args = command.processedArgs as unknown[];
    const operation = await request.operation(project, tools, args, options as never);
    const deployment = await deploy(project, tools, operation, consentOf(options, request.name));
    printOutcome(options, await stopHarmful(project, tools, deployment));
  });
}

function withConsent(command: Command): Command {
  return command
    .option("--yes", "ask no questions; without a terminal there are none anyway")
    .option(
      "--token <token>",
      "the token of a plan that you reviewed; refused if record or traffic changed since",
    )
    .option("--override-freeze <why>", "release despite a freeze window; the receipt keeps the reason");
}

function consentOf(options: ConsentOptions, what: string): Consent {
  const { token, overrideFreeze } = options;
  const asks = token === undefined && mayAsk(options);
  return {
    ...(token === undefined ? {} : { token }),
    ...(overrideFreeze === undefined ? {} : { overrideFreeze }),
    ...(asks
      ? {
          confirm: (planned) => {
            console.error(formatPlan(planned, err));
            return confirm(`Continue with this ${what}?`);
          },
        }
      : {}),
  };
}
