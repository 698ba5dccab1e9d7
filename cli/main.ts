#!/usr/bin/env node
/**
 * The operator's command `bluegreen`: one release after another, from the project's folder.
 *
 * Exit codes: 0 done; 1 unexpected; 2 bad input; 3 refused; 4 candidate rejected, traffic untouched; 5 aborted,
 * traffic back on stable; 6 frozen, a person decides.
 */
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
import { OperatorError } from "./operator-error";
import { err } from "./terminal/colours";

const EXIT_CODES = `
Exit codes: 0 done, 1 unexpected, 2 bad input, 3 refused, 4 candidate rejected (traffic untouched),
            5 aborted (traffic back on stable), 6 frozen (a person decides)`;

function buildProgram(): Command {
  const program = new Command("bluegreen")
    .description("Upgrade a web application instead of removing it.")
    .exitOverride()
    .addHelpText("after", EXIT_CODES);
  addReleaseCommands(program);
  addLooks(program);
  addReceiptCommands(program);
  addPlanCommands(program);
  addArtifactCommands(program);
  addBanCommand(program);
  addEnvironmentCommands(program);
  addRehearsals(program);
  addMeasureCommand(program);
  return program;
}

async function main(): Promise<void> {
  try {
    await buildProgram().parseAsync();
  } catch (error) {
    process.exitCode = explain(error);
  }
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
