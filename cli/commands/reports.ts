/** report: a receipt as one HTML file, for people. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { parseFile } from "../../release/validation";
import { Receipt } from "../../release/receipt";
import { writeAtomically } from "../../system/atomic-file";
import { OperatorError } from "../operator-error";

/** Instead of a file: what comes on stdin, or goes to stdout. */
const STREAM = "-";
const STDIN = 0;

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
      await writeReport(readReceipt(receipt), output);
    });
}

/** @throws OperatorError where the file cannot be read, InvalidInput where it is no receipt. */
export function readReceipt(file: string): Receipt {
  let text: string;
  try {
    text = readFileSync(file === STREAM ? STDIN : file, "utf8");
  } catch (error) {
    throw new OperatorError(`${file} cannot be read: ${(error as Error).message}`, 2);
  }
  return parseFile(Receipt, text, file === STREAM ? "stdin" : file);
}

async function writeReport(receipt: Receipt, output: string): Promise<void> {
  const { renderReceiptReport } = await import("../report/receipt-report.js");
  const report = renderReceiptReport(receipt);
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
