/** init: a project that can release. */
import type { Command } from "commander";
import type { InitOptions } from "../setup/questionnaire";
import { canAsk } from "../terminal/questions";
import { progressFor, printResult } from "../command-line/common";

export function addInit(program: Command): void {
  program
    .command("init")
    .argument("[folder]", "the project's folder; made where it is missing", ".")
    .description("make a project that can release: an environment, its record, cdktf.json")
    .option("--name <environment>", "as in local, prod; else local, or prod on Azure")
    .option("--platform <platform>", "local: servers are folders on this machine; or azure")
    .option("--application <name>", "else as the folder is called")
    .option(
      "--topology <topology>",
      "split: half of the servers each; or sideBySide: both slots on every server",
    )
    .option("--servers <number>", "how many web servers")
    .option("--driver <driver>", "haproxy, nginx or embedded; else haproxy where it is installed")
    .option("--start <command>", `what starts an instance, as in "node server.js" or '["node", "server.js"]'`)
    .option("--health-path <path>", "what says that an instance is healthy")
    .option("--port <port>", "where users come in, on this machine; slots take ports above it")
    .option(
      "--database <database>",
      "local: postgres, or mssql on the server that MSSQL_URL names; else none, and no migrations",
    )
    .option("--example", "with packed releases of the sample application, to try it out")
    .option("--subscription <guid>", "Azure: the subscription; else ARM_SUBSCRIPTION_ID")
    .option("--tenant <guid>", "Azure: the tenant; else ARM_TENANT_ID")
    .option("--location <region>", "Azure: as in westeurope")
    .option("--ssh-key <file|key>", "Azure: a public key; else that of your home folder")
    .option("--os <system>", "Azure: linux or windows, of the web servers")
    .option("--yes", "ask nothing: what no option says is as usual")
    .option("--json", "print what was made as JSON on stdout; asks nothing")
    .action(async (folder: string, options: InitOptions & { yes?: boolean; json?: boolean }) => {
      const { findAnswers } = await import("../setup/questionnaire.js");
      const { formatInitialized, init } = await import("../setup/init.js");
      const asking = canAsk() && options.yes !== true && options.json !== true;
      const { answers, example, notes } = await findAnswers(folder, options, asking);
      const initialized = await init(folder, answers, example, notes, progressFor(options));
      printResult(options, initialized, formatInitialized(initialized));
    });
}
