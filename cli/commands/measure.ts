/** measure: what users meet while some other command runs. */
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Command } from "commander";
import { InvalidInput } from "../../release/failure";
import { formatReceipt } from "../../release/receipt";
import { quote } from "../../release/text";
import { writeAtomically } from "../../system/atomic-file";
import { err } from "../terminal/colours";
import { common, flagOf } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";

interface MeasureOptions extends CommonOptions {
  readonly url?: string;
  readonly plan?: string;
  readonly path?: readonly string[];
  readonly rate?: string;
  readonly releaseHeader?: string;
  readonly warmUp: string;
  readonly coolDown: string;
  readonly allowedFailures: string;
  readonly receipt?: string;
}

const LONGEST_SECONDS = 3_600;
/** What a plan says itself. */
const NOT_WITH_PLAN = ["url", "path", "rate", "releaseHeader"] as const;

export function addMeasure(program: Command): void {
  common(program.command("measure").argument("<command...>", "after --, with its arguments; no shell"))
    .description("run any command with a load around it, and say whether users would have noticed")
    .option(
      "--url <origin>",
      "where users come in, as in https://www.example.com; no environment file is read",
    )
    .option("--plan <file>", "a whole load plan (JSON): pages, POSTs, and where they are looked for")
    .option("--path <path>", "a page that must answer 200; may be given again", collect)
    .option("--rate <requests>", "how many are due each second; 10, or as the environment says")
    .option("--release-header <name>", "the header in which answers name their release")
    .option("--warm-up <seconds>", "how long the load runs before the command", "1")
    .option("--cool-down <seconds>", "how long it runs after it", "2")
    .option("--allowed-failures <count>", "how many failed requests still count as unnoticed", "0")
    .option("--receipt <file>", "write what was measured (JSON)")
    .addHelpText("after", EXIT_CODES)
    .action(async (words: string[], options: MeasureOptions, command: Command) => {
      refuseContradictions(command);
      const [program = "", ...args] = words;
      if (program === "") throw new InvalidInput("there is no command: name one after --");
      const times = {
        warmUpSeconds: number("--warm-up", options.warmUp, 0, LONGEST_SECONDS),
        coolDownSeconds: number("--cool-down", options.coolDown, 0, LONGEST_SECONDS),
      };
      const allowedFailures = number("--allowed-failures", options.allowedFailures, 0, 1e9);
      if (!Number.isInteger(allowedFailures)) throw new InvalidInput("--allowed-failures is a whole number");
      if (options.receipt !== undefined) refuseUnwritable(options.receipt);
      const rate = options.rate === undefined ? undefined : number("--rate", options.rate, 0.1, 10_000);

      const [{ chooseLoad }, { measure }, { formatSummary }] = await Promise.all([
        import("../measure/chosen-load.js"),
        import("../measure/measure.js"),
        import("../measure/verdict.js"),
      ]);
      const load = chooseLoad(process.cwd(), { ...options, paths: options.path ?? [], rate });
      const stdout = options.json === true ? 2 : 1;
      const receipt = await measure({ load, command: [program, ...args], stdout, ...times, allowedFailures });
      process.exitCode = receipt.exitCode;
      console.error(formatSummary(receipt, err));
      if (options.json === true) process.stdout.write(formatReceipt(receipt));
      if (options.receipt !== undefined) keep(options.receipt, formatReceipt(receipt));
    });
}

const EXIT_CODES = `
Exit codes: the command's own where it is not 0; 0 nobody noticed, 1 more requests failed than allowed,
            2 bad input or the command can't be started, 3 nobody answers before the command`;

function refuseContradictions(command: Command): void {
  const isGiven = (name: string): boolean => command.getOptionValueSource(name) === "cli";
  const other = isGiven("plan") ? NOT_WITH_PLAN.find(isGiven) : undefined;
  if (other !== undefined)
    throw new InvalidInput(`--plan and ${flagOf(other)} contradict each other: the plan says it`);
  const source = ["plan", "url"].find(isGiven);
  if (source !== undefined && isGiven("environment")) {
    throw new InvalidInput(`--${source} and --environment contradict each other: name one of them`);
  }
}

function refuseUnwritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK);
  } catch (error) {
    throw new InvalidInput(
      `--receipt ${quote(file)} can't be written: ${(error as NodeJS.ErrnoException).code} in its folder`,
    );
  }
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new InvalidInput(`--receipt ${quote(file)} is a folder: name a file`);
  }
}

/** The command has run: a full disk must not hide how it ended. */
function keep(file: string, receipt: string): void {
  try {
    writeAtomically(file, receipt, 0o644);
  } catch (error) {
    console.error(err.red(`the receipt was not written: ${(error as Error).message}`));
    process.exitCode ||= 1;
  }
}

function number(option: string, text: string, least: number, most: number): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new InvalidInput(`${option} ${quote(text)} is no number from ${least} to ${most}`);
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
