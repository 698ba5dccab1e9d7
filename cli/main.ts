#!/usr/bin/env node
/**
 * The operator's command `bluegreen`: one release after another, from the project's folder.
 *
 * Exit codes: 0 done; 1 unexpected; 2 bad input; 3 refused; 4 candidate rejected, traffic untouched; 5 aborted,
 * traffic back on stable; 6 frozen, a person decides.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { InvalidInput, Refusal } from "../release/refusal";
import { addArtifactCommands } from "./commands/artifacts";
import { addBanCommand } from "./commands/bans";
import { addEnvironmentCommands } from "./commands/environments";
import { addLooks } from "./commands/looks";
import { addMeasureCommand } from "./commands/measures";
import { addPlanCommands } from "./commands/plans";
import { addReceiptCommands } from "./commands/receipts";
import { addRehearsals } from "./commands/rehearsals";
import { addReleaseCommands } from "./commands/releases";
import { addReportCommands } from "./commands/reports";
import { addSetupCommands } from "./commands/setup";
import { OperatorError } from "./operator-error";
import { err } from "./terminal/colours";

const EXIT_CODES = `
Exit codes: 0 done, 1 unexpected, 2 bad input, 3 refused, 4 candidate rejected (traffic untouched),
            5 aborted (traffic back on stable), 6 frozen (a person decides)`;

const { version: VERSION } = JSON.parse(
  readFileSync(join(__dirname, "..", "..", "package.json"), "utf8"),
) as { version: string };

function buildProgram(): Command {
  const program = new Command("bluegreen")
    .description("Upgrade a web application instead of removing it.")
    .version(VERSION, "-V, --version", "print the version")
    .exitOverride()
    .addHelpText("after", EXIT_CODES);
  program.commandsGroup("Begin:");
  addSetupCommands(program);
  program.commandsGroup("Release:");
  addReleaseCommands(program);
  program.commandsGroup("Look first, and prove it:");
  addPlanCommands(program);
  program.commandsGroup("See what users get, and what they got:");
  addLooks(program);
  addReceiptCommands(program);
  addReportCommands(program);
  addMeasureCommand(program);
  program.commandsGroup("Artifacts and rules:");
  addArtifactCommands(program);
  addBanCommand(program);
  program.commandsGroup("The environment:");
  addEnvironmentCommands(program);
  addRehearsals(program);
  program.commandsGroup("Help:");
  return program;
}

async function main(): Promise<void> {
  endWithReader(process.stdout);
  endWithReader(process.stderr);
  try {
    await buildProgram().parseAsync();
  } catch (error) {
    process.exitCode = explain(error);
  }
}

/** Whoever reads may stop reading (`| head -1`): nobody is there to be told. A release goes on to its end. */
function endWithReader(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const say = (text: string): void => console.error(err.red(text));
  if (error instanceof OperatorError) {
    say(error.message);
    return error.exitCode;
  }
  if (error instanceof InvalidInput) {
    say(error.message);
    return 2;
  }
  if (error instanceof Refusal) {
    say(error.message);
    return 3;
  }
  console.error(error);
  return 1;
}

void main();
