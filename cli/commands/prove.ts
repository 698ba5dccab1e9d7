/** prove: that a plan of web leaves alone what users have. */
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import { common, findTools, open, printResult } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { prove } from "../deployment/prove";
import { readRecord } from "../project/project";
import { agreed } from "../proxies/proxies";
import { proxiesOf } from "../proxies/proxies-of";
import { err } from "../terminal/colours";
import { SILENT } from "../terminal/progress";

export function addProve(program: Command): void {
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
      if (verdict.proved) return printResult(options, verdict, verdict.words);
      process.exitCode = EXIT.refused;
      // A run task tells the reason on, and has nobody who reads stderr.
      if (options.json === true) console.log(JSON.stringify({ ...verdict, exitCode: EXIT.refused }, null, 2));
      console.error(err.red(verdict.words));
    });
}
