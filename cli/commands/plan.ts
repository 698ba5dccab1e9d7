/** plan: what would happen, with its proof; nothing is changed. */
import type { Command } from "commander";
import { formatBasePlan, planBase } from "../deployment/base";
import { formatPlan, planFacts } from "../deployment/plan-text";
import { planOnly } from "../deployment/planning";
import { out } from "../terminal/colours";
import { common, findTools, open, progressFor, printResult } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import type { Request } from "../command-line/request";

/** @param requests the commands that can be planned. */
export function addPlan(program: Command, requests: readonly Request[]): void {
  const plans = program
    .command("plan")
    .description("show what would happen, with its proof, its risks and a token; changes nothing");
  common(plans.command("base"))
    .description("show the effect of a changed environment file; refuses to lose data or servers")
    .option("--allow-replace <address...>", "an address that may be replaced or destroyed", [])
    .action(async (options: CommonOptions & { allowReplace: string[] }) => {
      const plan = await planBase(open(options), await findTools(progressFor(options)), options.allowReplace);
      printResult(options, plan, formatBasePlan(plan));
    });

  for (const request of requests) {
    request
      .declare(common(plans.command(request.name)))
      .description(`the plan of: ${request.description}`)
      .action(async (...parameters: unknown[]) => {
        const command = parameters.at(-1) as Command;
        const options = command.opts<CommonOptions>();
        const project = open(options);
        const tools = await findTools(progressFor(options));
        const args = command.processedArgs as unknown[];
        const dryRun = { ...options, dryRun: true } as never;
        const operation = await request.operation(project, tools, args, dryRun);
        const planned = await planOnly(project, tools, operation);
        printResult(options, planFacts(planned), formatPlan(planned, out));
      });
  }
}
