/** recover: rebuilds a lost record from the proxies' and Terraform's state. */
import type { Command } from "commander";
import { common, findTools, open, progressFor, printResult } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";

export function addRecover(program: Command): void {
  common(program.command("recover"))
    .description("rebuild a lost, damaged or outdated record from the proxies' and Terraform's state")
    .option("--yes", "write it without asking")
    .action(async (options: CommonOptions & { yes?: boolean }) => {
      const { formatRecovered, recover } = await import("../setup/recover.js");
      const project = open(options);
      const progress = progressFor(options);
      const terraform = async () => (await findTools(progress)).terraform;
      const recovered = await recover(project, options, { progress, terraform });
      printResult(options, recovered, formatRecovered(project, recovered));
    });
}
