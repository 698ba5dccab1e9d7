/** plan and prove: what would happen, and the proof that it leaves alone what users have. */
import type { Command } from "commander";
import { formatBasePlan, planBase } from "../deployment/base";
import { prove } from "../deployment/prove";
import { OperatorError } from "../operator-error";
import { readRecord } from "../project/project";
import { agreed, proxiesOf } from "../proxies/proxies";
import { SILENT } from "../terminal/progress";
import { common, findTools, open, progressFor, tell } from "./command-line";
import type { CommonOptions } from "./command-line";

export function addPlanCommands(program: Command): void {
  common(program.command("plan").argument("<stack>", "base"))
    .description("show what a change of the environment would do; refuses to lose data or servers")
    .option("--allow-replace <address...>", "an address that may be replaced or destroyed", [])
    .action(async (stack: string, options: CommonOptions & { allowReplace: string[] }) => {
      if (stack !== "base")
        throw new OperatorError(`there is no plan of "${stack}": base is what can be planned`, 2);
      const plan = await planBase(open(options), await findTools(progressFor(options)), options.allowReplace);
      tell(options, plan, formatBasePlan(plan));
    });

  common(
    program.command("prove").argument("<plan>", "a file with `terraform show -json <plan>`, or - for stdin"),
  )
    .description("prove that a plan of web leaves the live slot, base and the database alone; else exit 3")
    .option("--live <slot>", "blue or green; else what the proxies say")
    .action(async (file: string, options: CommonOptions & { live?: string }) => {
      const live = async () => {
        const project = open(options);
        const terraform = async () => (await findTools(SILENT)).terraform;
        return agreed(await proxiesOf(project, terraform).statuses(readRecord(project)))?.live;
      };
      const proof = await prove(file, options.live, live);
      tell(options, proof, proof.words);
    });
}
