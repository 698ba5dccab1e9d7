/** rehearse: the whole mission on this machine. */
import { InvalidInput } from "../../release/failure";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import type { RehearseOptions } from "../rehearsal/rehearse";
import { createProgress } from "../terminal/progress";
import { findTools } from "../command-line/common";

export function addRehearse(program: Command): void {
  program
    .command("rehearse")
    .description("play a whole series of releases on this machine, under load, with the sample application")
    .option("--driver <driver>", "haproxy, nginx or embedded", undefined)
    .option("--database <database>", "postgres, or mssql on the server that MSSQL_URL names; else postgres")
    .option("--json <file>", "write what was measured")
    .option("--report <file>", "write the report there; else .bluegreen/rehearsal/report.html")
    .option("--quick", "shorter waits; the same steps")
    .option("--keep", "leave the environment running at the end")
    .action(async (options: RehearseOptions) => {
      // Now, and not after minutes of releases.
      for (const option of ["json", "report"] as const) refuseNoPlaceFor(option, options[option]);
      const { rehearse } = await import("../rehearsal/rehearse.js");
      process.exitCode = (await rehearse(options, await findTools(createProgress())))
        ? EXIT.done
        : EXIT.unexpected;
    });
}

function refuseNoPlaceFor(option: string, file: string | undefined): void {
  if (file === undefined) return;
  if (isFolder(file)) throw new InvalidInput(`--${option} ${file} is a folder: name a file`);
  if (!isFolder(dirname(file))) {
    throw new InvalidInput(`--${option} ${file}: there is no folder ${dirname(file)}, make it first`);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
