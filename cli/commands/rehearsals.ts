/** rehearse: the whole mission on this machine. */
import type { Command } from "commander";
import { createProgress } from "../terminal/progress";
import { findTools } from "./command-line";

export function addRehearsals(program: Command): void {
  program
    .command("rehearse")
    .description("play a whole series of releases on this machine, under load, with the sample application")
    .option("--driver <driver>", "haproxy, nginx or embedded", undefined)
    .option("--json <file>", "write what was measured")
    .option("--quick", "shorter waits; the same steps")
    .option("--keep", "leave the environment running at the end")
    .action(async (options: { driver?: string; json?: string; quick?: boolean; keep?: boolean }) => {
      const { rehearse } = await import("../rehearsal/rehearse.js");
      process.exitCode = (await rehearse(options, await findTools(createProgress()))) ? 0 : 1;
    });
}
