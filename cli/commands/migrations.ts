/** migrations: what a release brings to the database, what is there, and what became of a script that did not end. */
import type { Command } from "commander";
import { migrationsFrom, publishNote } from "../artifact/migrations";
import { formatJournal } from "../migrations/journal-words";
import { knownJournal } from "../migrations/known-journal";
import { readRecord } from "../project/project";
import { out } from "../terminal/colours";
import { SILENT } from "../terminal/progress";
import { common, findTools, open, optionsOf, tell } from "./command-line";
import type { CommonOptions } from "./command-line";
import { addFromEf } from "./migrations-from-ef";
import { addRequest } from "./releases";
import { RESOLVE } from "./requests";

export function addMigrationCommands(program: Command): void {
  const migrations = common(
    program.command("migrations").argument("<folder|zip>", "SQL scripts, or an artifact that carries them"),
  )
    .enablePositionalOptions()
    .description(
      "check a release's SQL scripts, pack them, and tell what the record says of them; or see status and resolve",
    )
    .action((source: string, options: CommonOptions) => {
      const notes: string[] = [];
      const project = open(options);
      const brought = migrationsFrom(project, { given: source, artifact: null }, (line) => notes.push(line));
      const note = publishNote(project, "<version>", brought);
      for (const line of note === null ? notes : [...notes, note]) console.error(line);
      console.log(JSON.stringify(brought.says, null, 2));
    });

  common(migrations.command("status"))
    .description(
      "which scripts are applied, running, pending or waiting; on Azure as the last migration said",
    )
    .action(async (_options: unknown, command: Command) => {
      const options = optionsOf<CommonOptions>(command);
      const project = open(options);
      const terraform = async () => (await findTools(SILENT)).terraform;
      const journal = await knownJournal(project, readRecord(project), terraform);
      tell(options, journal, formatJournal(journal, out));
    });

  addRequest(migrations, RESOLVE);
  addFromEf(migrations);
}
