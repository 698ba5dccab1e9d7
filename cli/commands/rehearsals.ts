/** rehearse: the whole mission on this machine. */
import type { Command } from "commander";
import { createProgress } from "../terminal/progress";
import type { RehearseOptions } from "../rehearsal/rehearse";
import { findTools } from "./command-line";

export function addRehearsals(program: Command): void {
  program
    .command("rehearse")
    .description("play a whole series of releases on this machine, under load, with the sample application")
    .option("--driver <driver>", "haproxy, nginx or embedded", undefined)
    .option("--json <file>", "write what was measured")
    .option("--report <file>", "write the report there; else .bluegreen/rehearsal/report.html")
    .option("--quick", "shorter waits; the same steps")
    .option("--keep", "leave the environment running at the end")
    .action(async (options: RehearseOptions) => {
      const { rehearse } = await import("../rehearsal/rehearse.js");
      process.exitCode = (await rehearse(options, await findTools(createProgress()))) ? 0 : 1;
    });
}
