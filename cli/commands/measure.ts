/** measure: what users get while another command runs. */
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
/** Options that the plan replaces. */
const NOT_WITH_PLAN = ["url", "path", "rate", "releaseHeader"] as const;

export function addMeasure(program: Command): void {
  common(program.command("measure").argument("<command...>", "after --, with its arguments; no shell"))
    .description("run any command under load, and show what it would cost your users")
    .option(
      "--url <origin>",
      "the users' address, as in https://www.example.com; no environment file is read",
    )
    .option("--plan <file>", "a complete load plan (JSON): origin, pages and POSTs")
    .option("--path <path>", "a page that must answer 200; repeatable", collect)
    .option("--rate <requests>", "requests per second; default: 10, or the environment's")
    .option("--release-header <name>", "the response header that names the release")
    .option("--warm-up <seconds>", "how long the load runs before the command starts", "1")
    .option("--cool-down <seconds>", "how long the load runs after the command", "2")
    .option("--allowed-failures <count>", "how many requests may fail", "0")
    .option("--receipt <file>", "write the results (JSON)")
    .addHelpText("after", EXIT_CODES)
    .action(async (words: string[], options: MeasureOptions, command: Command) => {
      refuseContradictions(command);
      const [program = "", ...args] = words;
      if (program === "") throw new InvalidInput("no command given: name one after --");
      const times = {
        warmUpSeconds: number("--warm-up", options.warmUp, 0, LONGEST_SECONDS),
        coolDownSeconds: number("--cool-down", options.coolDown, 0, LONGEST_SECONDS),
      };
      const allowedFailures = number("--allowed-failures", options.allowedFailures, 0, 1e9);
      if (!Number.isInteger(allowedFailures))
        throw new InvalidInput("--allowed-failures must be a whole number");
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
Exit codes: the command's exit code if it is not 0; otherwise 0 no impact on users, 1 more requests failed than
            allowed, 2 bad input or the command can't be started, 3 no answer before the command`;

function refuseContradictions(command: Command): void {
  const isGiven = (name: string): boolean => command.getOptionValueSource(name) === "cli";
  const other = isGiven("plan") ? NOT_WITH_PLAN.find(isGiven) : undefined;
  if (other !== undefined)
    throw new InvalidInput(`--plan and ${flagOf(other)} contradict each other: the plan sets it`);
  const source = ["plan", "url"].find(isGiven);
  if (source !== undefined && isGiven("environment")) {
    throw new InvalidInput(`--${source} and --environment contradict each other: use one of them`);
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

/** The command has run: a full disk must not hide its outcome. */
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
  throw new InvalidInput(`${option} ${quote(text)} must be a number from ${least} to ${most}`);
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
