/** migrations: a release's SQL scripts, the database's state, and interrupted scripts. */
import type { Command } from "commander";
import { migrationsFrom, publishNote } from "../artifact/migrations";
import { common, open } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { addFromEf } from "./migrations-from-ef";
import { addRequest } from "../command-line/carry-out";
import { resolve } from "./migrations-resolve";
import { addMigrationsStatus } from "./migrations-status";

export function addMigrations(program: Command): void {
  const migrations = common(
    program.command("migrations").argument("<folder|zip>", "SQL scripts, or an artifact that contains them"),
  )
    .enablePositionalOptions()
    .description(
      "check and pack a release's SQL scripts, and print their fields for the record; or status, resolve, from-ef",
    )
    .action((source: string, options: CommonOptions) => {
      const notes: string[] = [];
      const project = open(options);
      const packed = migrationsFrom(project, { given: source, artifact: null }, (line) => notes.push(line));
      const note = publishNote(project, "<version>", packed);
      for (const line of note === null ? notes : [...notes, note]) console.error(line);
      console.log(JSON.stringify(packed.fields, null, 2));
    });

  addMigrationsStatus(migrations);
  addRequest(migrations, resolve);
  addFromEf(migrations);
}
