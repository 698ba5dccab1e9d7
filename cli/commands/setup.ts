/** init, doctor, recover, completion: what comes before the first release, and after something was lost. */
import type { Command } from "commander";
import { common, findTools, open, progressFor, tell } from "./command-line";
import type { CommonOptions } from "./command-line";

export function addSetupCommands(program: Command): void {
  common(program.command("recover"))
    .description("rebuild a lost, damaged or outdated record from what proxies and Terraform know")
    .option("--yes", "write it without asking")
    .action(async (options: CommonOptions & { yes?: boolean }) => {
      const { formatRecovered, recover } = await import("../setup/recover.js");
      const project = open(options);
      const progress = progressFor(options);
      const terraform = async () => (await findTools(progress)).terraform;
      const recovered = await recover(project, options, { progress, terraform });
      tell(options, recovered, formatRecovered(project, recovered));
    });
}
