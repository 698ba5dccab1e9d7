/** prove: proves that a plan of web does not touch what users get. */
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import { common, findTools, open, printResult } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { prove } from "../deployment/prove";
import { readRecord } from "../project/project";
import { usersGet, requireAll } from "../proxies/proxies";
import { proxiesOf } from "../proxies/proxies-of";
import { err } from "../terminal/colours";
import { SILENT } from "../terminal/progress";

export function addProve(program: Command): void {
  common(
    program
      .command("prove")
      .argument("<plan>", "the output of `terraform show -json <plan>`, or - for stdin"),
  )
    .description(
      "prove that a plan of web does not touch the live slot, base or the database; exit 3 if it does",
    )
    .option("--live <slot>", "blue, green, or none; default: from the plan, or from the proxies")
    .action(async (file: string, options: CommonOptions & { live?: string }, command: Command) => {
      const live = async () => {
        const project = open(options);
        const terraform = async () => (await findTools(SILENT)).terraform;
        const survey = await proxiesOf(project, terraform).survey(readRecord(project));
        return usersGet(survey, requireAll(survey))?.live;
      };
      // Without a name, the default environment may be another one than the plan's.
      const isNamed =
        command.getOptionValueSource("environment") !== "default" ||
        process.env["BLUEGREEN_ENVIRONMENT"] !== undefined;
      const environment = isNamed ? open(options).environment : null;
      const verdict = await prove(file, options.live, live, environment);
      if (verdict.proved) return printResult(options, verdict, verdict.reason);
      process.exitCode = EXIT.refused;
      // A run task passes the reason on; its stderr is not shown.
      if (options.json === true) console.log(JSON.stringify({ ...verdict, exitCode: EXIT.refused }, null, 2));
      console.error(err.red(verdict.reason));
    });
}
