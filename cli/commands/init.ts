/** init: creates a project. */
import type { Command } from "commander";
import type { InitOptions } from "../setup/questionnaire";
import { mayAsk } from "../terminal/questions";
import { progressFor, printResult } from "../command-line/common";

export function addInit(program: Command): void {
  program
    .command("init")
    .argument("[folder]", "the project's folder; created if missing", ".")
    .description("create a project: an environment file, an empty record, cdktf.json")
    .option("--name <environment>", "the environment's name; default: local, or prod on Azure")
    .option("--platform <platform>", "local: servers are folders on this machine; or azure")
    .option("--application <name>", "the application's name; default: the folder's")
    .option(
      "--topology <topology>",
      "split: each slot has half of the servers; sideBySide: both slots on every server",
    )
    .option("--servers <number>", "the number of web servers")
    .option("--driver <driver>", "haproxy, nginx or embedded; default: haproxy if it is installed")
    .option(
      "--affinity <affinity>",
      "server: clients stay on one server, for sessions in an application's memory; default: none",
    )
    .option("--start <command>", `starts an instance, as in "node server.js" or '["node", "server.js"]'`)
    .option("--health-path <path>", "the path of the health check")
    .option(
      "--page <path>",
      "a page that each release must answer with 200 before it gets users; default: none",
    )
    .option("--port <port>", "the users' port on this machine; slots use ports above it")
    .option(
      "--database <database>",
      "local: postgres, or mssql on the server in MSSQL_URL; without it there are no migrations",
    )
    .option("--example", "add packed releases of the sample application")
    .option("--subscription <guid>", "Azure: the subscription; default: ARM_SUBSCRIPTION_ID")
    .option("--tenant <guid>", "Azure: the tenant; default: ARM_TENANT_ID")
    .option("--location <region>", "Azure: the region, as in westeurope")
    .option("--ssh-key <file|key>", "Azure: a public key; default: the one in your home folder")
    .option("--os <system>", "Azure: the web servers' system, linux or windows")
    .option("--yes", "ask no questions: use the defaults")
    .option("--json", "print what was created as JSON on stdout; asks no questions")
    .action(async (folder: string, options: InitOptions & { yes?: boolean; json?: boolean }) => {
      const { findAnswers } = await import("../setup/questionnaire.js");
      const { formatInitialized, init } = await import("../setup/init.js");
      const asking = mayAsk(options);
      const { answers, example, notes } = await findAnswers(folder, options, asking);
      const initialized = await init(folder, answers, example, notes, progressFor(options));
      printResult(options, initialized, formatInitialized(initialized));
    });
}
