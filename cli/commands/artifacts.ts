/** migrations: what a release brings, before it is released. */
import type { Command } from "commander";
import { migrationsFrom } from "../artifact/migrations";
import { common, open } from "./command-line";
import type { CommonOptions } from "./command-line";

export function addArtifactCommands(program: Command): void {
  common(
    program.command("migrations").argument("<folder|zip>", "SQL scripts, or an artifact that carries them"),
  )
    .description("check a release's SQL scripts, pack them, and tell what the record says of them")
    .action((source: string, options: CommonOptions) => {
      const notes: string[] = [];
      const brought = migrationsFrom(open(options), { given: source, artifact: null }, (line) =>
        notes.push(line),
      );
      for (const line of notes) console.error(line);
      console.log(JSON.stringify(brought, null, 2));
    });
}
