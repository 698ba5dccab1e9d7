/** rehearse: a series of releases on this machine, under load. */
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
    .description("run a series of releases of the sample application on this machine, under load")
    .option("--driver <driver>", "haproxy, nginx or embedded", undefined)
    .option("--database <database>", "postgres, or mssql on the server in MSSQL_URL; default: postgres")
    .option("--json <file>", "write the results (JSON)")
    .option("--report <file>", "the report's file; default: .bluegreen/rehearsal/report.html")
    .option("--quick", "shorter waits, the same steps")
    .option("--keep", "keep the environment running at the end")
    .action(async (options: RehearseOptions) => {
      // Before minutes of releases, not after.
      for (const option of ["json", "report"] as const) refuseUnwritable(option, options[option]);
      const { rehearse } = await import("../rehearsal/rehearse.js");
      process.exitCode = (await rehearse(options, await findTools(createProgress())))
        ? EXIT.done
        : EXIT.unexpected;
    });
}

function refuseUnwritable(option: string, file: string | undefined): void {
  if (file === undefined) return;
  if (isFolder(file)) throw new InvalidInput(`--${option} ${file} is a folder: name a file`);
  if (!isFolder(dirname(file))) {
    throw new InvalidInput(
      `--${option} ${file}: the folder ${dirname(file)} does not exist; create it first`,
    );
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
