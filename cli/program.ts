/** The commands and options of `bluegreen`, without the process: tests parse the documents' command lines with it. */
import { Command } from "commander";
import { addRequest } from "./command-line/carry-out";
import type { Request } from "./command-line/request";
import { addAbort } from "./commands/abort";
import { addBan } from "./commands/ban";
import { addCompletion } from "./commands/completion";
import { addDoctor } from "./commands/doctor";
import { addDrain } from "./commands/drain";
import { addDown } from "./commands/down";
import { heal } from "./commands/heal";
import { addHistory } from "./commands/history";
import { addInit } from "./commands/init";
import { addMeasure } from "./commands/measure";
import { addMigrations } from "./commands/migrations";
import { resolve } from "./commands/migrations-resolve";
import { addPlan } from "./commands/plan";
import { addPreview } from "./commands/preview";
import { promote } from "./commands/promote";
import { addProve } from "./commands/prove";
import { addPublish } from "./commands/publish";
import { addRecover } from "./commands/recover";
import { addRehearse } from "./commands/rehearse";
import { release } from "./commands/release";
import { addReport } from "./commands/report";
import { retry } from "./commands/retry";
import { rollback } from "./commands/rollback";
import { stage } from "./commands/stage";
import { addStatus } from "./commands/status";

const REQUESTS: readonly Request[] = [release, stage, promote, rollback, retry, heal];

const EXIT_CODES = `
Exit codes: 0 done, 1 unexpected, 2 bad input, 3 refused, 4 candidate rejected (traffic untouched),
            5 aborted (traffic back on stable), 6 frozen (a person decides)`;

export function buildProgram(version: string): Command {
  const program = new Command("bluegreen")
    .description("Blue/green and canary releases of a web application, with Terraform.")
    .version(version, "-V, --version", "print the version")
    .exitOverride()
    .addHelpText("after", EXIT_CODES);
  program.commandsGroup("Get started:");
  addInit(program);
  addDoctor(program);
  addRecover(program);
  addCompletion(program);
  program.commandsGroup("Release:");
  for (const request of REQUESTS) addRequest(program, request);
  addAbort(program);
  program.commandsGroup("Review and prove:");
  addPlan(program, [...REQUESTS, resolve]);
  addProve(program);
  program.commandsGroup("Watch:");
  addStatus(program);
  addHistory(program);
  addReport(program);
  addMeasure(program);
  program.commandsGroup("Artifacts and rules:");
  addPublish(program);
  addMigrations(program);
  addBan(program);
  program.commandsGroup("The environment:");
  addDrain(program);
  addPreview(program);
  addDown(program);
  addRehearse(program);
  program.commandsGroup("Help:");
  return program;
}
