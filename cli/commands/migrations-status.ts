/** migrations status: which scripts the database has. */
import type { Command } from "commander";
import { common, findTools, open, optionsOf, printResult } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { formatJournal } from "../migrations/format-journal";
import { knownJournal } from "../migrations/known-journal";
import { readRecord } from "../project/project";
import { out } from "../terminal/colours";
import { SILENT } from "../terminal/progress";

/** @param migrations the parent command. */
export function addMigrationsStatus(migrations: Command): void {
  common(migrations.command("status"))
    .description("list scripts as applied, running, pending or waiting; on Azure as of the last migration")
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command);
      const project = open(options);
      const terraform = async () => (await findTools(SILENT)).terraform;
      const journal = await knownJournal(project, readRecord(project), terraform);
      printResult(options, journal, formatJournal(journal, out));
    });
}
