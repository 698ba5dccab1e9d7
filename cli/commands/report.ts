/** report: a receipt as one HTML file. */
import { InvalidInput } from "../../release/failure";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { MeasureReceipt, Receipt } from "../../release/receipt";
import { writeAtomically } from "../../system/atomic-file";
import { DEFAULT_ENVIRONMENT } from "../project/project";
import { findReceipt, newestReceipt } from "../receipts/receipt-store";
import { readReceipt, STREAM } from "../report/read-receipt";
import { open } from "../command-line/common";

interface ReportOptions {
  readonly environment: string;
  readonly output?: string;
}

export function addReport(program: Command): void {
  program
    .command("report")
    .argument("[receipt]", "a record's sequence, a receipt's JSON file, or - for stdin; default: the newest")
    .description("write a receipt as one self-contained HTML file")
    .option(
      "--environment <file>",
      "the environment file; BLUEGREEN_ENVIRONMENT sets another default",
      DEFAULT_ENVIRONMENT,
    )
    .option("--output <file>", "the HTML file, - for stdout; default: next to the receipt")
    .action(async (wanted: string | undefined, options: ReportOptions) => {
      const receipt = fileOf(wanted, options);
      const { output = nextTo(receipt) } = options;
      if (output !== STREAM && resolve(output) === resolve(receipt)) {
        throw new InvalidInput(`--output ${output} is the receipt itself: name another file`);
      }
      const read = readReceipt(receipt);
      write(await render(read), output);
    });
}

async function render(receipt: Receipt | MeasureReceipt): Promise<string> {
  if (receipt.action === "measure") {
    return (await import("../report/measure-report.js")).renderMeasureReport(receipt);
  }
  return (await import("../report/receipt-report.js")).renderReceiptReport(receipt);
}

function fileOf(wanted: string | undefined, options: ReportOptions): string {
  if (wanted === undefined) return newestReceipt(open(options));
  return /^\d{1,9}$/.test(wanted) ? findReceipt(open(options), Number(wanted)) : wanted;
}

function write(report: string, output: string): void {
  if (output === STREAM) {
    process.stdout.write(report);
    return;
  }
  try {
    writeAtomically(output, report, 0o644);
  } catch (error) {
    throw new InvalidInput(`${output} can't be written: ${(error as Error).message}`);
  }
  console.log(output);
}

function nextTo(receipt: string): string {
  return receipt === STREAM ? STREAM : `${receipt.replace(/\.json$/, "")}.html`;
}
