/**
 * The commands and options of `bluegreen`, without the process around them: so that the documents' command lines can be
 * parsed by it and nothing is carried out.
 */
import { Command } from "commander";
import { addArtifactCommands } from "./commands/artifacts";
import { addBanCommand } from "./commands/bans";
import { addEnvironmentCommands } from "./commands/environments";
import { addLooks } from "./commands/looks";
import { addMeasureCommand } from "./commands/measures";
import { addMigrationCommands } from "./commands/migrations";
import { addPlanCommands } from "./commands/plans";
import { addReceiptCommands } from "./commands/receipts";
import { addRehearsals } from "./commands/rehearsals";
import { addReleaseCommands } from "./commands/releases";
import { addReportCommands } from "./commands/reports";
import { addSetupCommands } from "./commands/setup";

const EXIT_CODES = `
Exit codes: 0 done, 1 unexpected, 2 bad input, 3 refused, 4 candidate rejected (traffic untouched),
            5 aborted (traffic back on stable), 6 frozen (a person decides)`;

export function buildProgram(version: string): Command {
  const program = new Command("bluegreen")
    .description("Upgrade a web application instead of removing it.")
    .version(version, "-V, --version", "print the version")
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
  addMigrationCommands(program);
  addBanCommand(program);
  program.commandsGroup("The environment:");
  addEnvironmentCommands(program);
  addRehearsals(program);
  program.commandsGroup("Help:");
  return program;
}
