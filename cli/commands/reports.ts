/** report: a receipt as one HTML file, for people. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { writeAtomically } from "../../system/atomic-file";
import { OperatorError } from "../operator-error";
import { readReceipt, STREAM } from "../report/read-receipt";

export function addReportCommands(program: Command): void {
  program
    .command("report")
    .argument("<receipt>", "a receipt's JSON file; - reads it from stdin")
    .description("make a receipt one HTML file that anybody can open")
    .option("--output <file>", "where it is written, - for stdout; else beside the receipt")
    .action(async (receipt: string, { output = besides(receipt) }: { output?: string }) => {
      if (output !== STREAM && resolve(output) === resolve(receipt)) {
        throw new OperatorError(`--output ${output} is the receipt itself: name another file`, 2);
      }
      const read = readReceipt(receipt);
      const { renderReceiptReport } = await import("../report/receipt-report.js");
      write(renderReceiptReport(read), output);
    });
}

function write(report: string, output: string): void {
  if (output === STREAM) {
    process.stdout.write(report);
    return;
  }
  try {
    writeAtomically(output, report, 0o644);
  } catch (error) {
    throw new OperatorError(`${output} cannot be written: ${(error as Error).message}`, 2);
  }
  console.log(output);
}

function besides(receipt: string): string {
  return receipt === STREAM ? STREAM : `${receipt.replace(/\.json$/, "")}.html`;
}
