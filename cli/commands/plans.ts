/** plan and prove: what would happen, and the proof that it leaves alone what users have. */
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import { formatBasePlan, planBase } from "../deployment/base";
import { formatPlan, planFacts } from "../deployment/plan-words";
import { planOnly } from "../deployment/planning";
import { prove } from "../deployment/prove";
import { readRecord } from "../project/project";
import { agreed } from "../proxies/proxies";
import { proxiesOf } from "../proxies/proxies-of";
import { err, out } from "../terminal/colours";
import { SILENT } from "../terminal/progress";
import { common, findTools, open, progressFor, tell } from "./command-line";
import type { CommonOptions } from "./command-line";
import { REQUESTS, RESOLVE } from "./requests";

export function addPlanCommands(program: Command): void {
  const plans = program
    .command("plan")
    .description("show what would happen, with its proof, its risks and a token; changes nothing");
  common(plans.command("base"))
    .description("what a change of the environment would do; refuses to lose data or servers")
    .option("--allow-replace <address...>", "an address that may be replaced or destroyed", [])
    .action(async (options: CommonOptions & { allowReplace: string[] }) => {
      const plan = await planBase(open(options), await findTools(progressFor(options)), options.allowReplace);
      tell(options, plan, formatBasePlan(plan));
    });

  for (const request of [...REQUESTS, RESOLVE]) {
    request
      .declare(common(plans.command(request.name)))
      .description(`the plan of: ${request.description}`)
      .action(async (...given: unknown[]) => {
        const command = given.at(-1) as Command;
        const options = command.opts<CommonOptions>();
        const project = open(options);
        const tools = await findTools(progressFor(options));
        const args = command.processedArgs as unknown[];
        const look = { ...options, onlyLooks: true } as never;
        const operation = await request.operation(project, tools, args, look);
        const planned = await planOnly(project, tools, operation);
        tell(options, planFacts(planned), formatPlan(planned, out));
      });
  }

  common(
    program.command("prove").argument("<plan>", "a file with `terraform show -json <plan>`, or - for stdin"),
  )
    .description("prove that a plan of web leaves the live slot, base and the database alone; else exit 3")
    .option("--live <slot>", "blue, green, or none; else what the plan or the proxies say")
    .action(async (file: string, options: CommonOptions & { live?: string }) => {
      const live = async () => {
        const project = open(options);
        const terraform = async () => (await findTools(SILENT)).terraform;
        return agreed(await proxiesOf(project, terraform).statuses(readRecord(project)))?.live;
      };
      const verdict = await prove(file, options.live, live);
      if (verdict.proved) return tell(options, verdict, verdict.words);
      process.exitCode = EXIT.refused;
      // A run task tells the reason on, and has nobody who reads stderr.
      if (options.json === true) console.log(JSON.stringify({ ...verdict, exitCode: EXIT.refused }, null, 2));
      console.error(err.red(verdict.words));
    });
}
