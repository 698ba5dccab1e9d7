/** history: what was released, by whom, and what users got. */
import { InvalidInput } from "../../release/failure";
import type { Command } from "commander";
import { EXIT } from "../../release/exit-code";
import { quote } from "../../release/text";
import { formatHistory, formatReceiptInFull } from "../receipts/history";
import { readReceipt, readReceipts } from "../receipts/receipt-store";
import { out } from "../terminal/colours";
import { common, open } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";

export function addHistory(program: Command): void {
  common(program.command("history").argument("[sequence]", "one record's receipt in full"))
    .description("list what was released, by whom, and what users got meanwhile; newest first")
    .option("--limit <count>", "at most this many", "20")
    .action((sequence: string | undefined, options: CommonOptions & { limit: string }) => {
      const project = open(options);
      if (sequence !== undefined) {
        const receipt = readReceipt(project, wholeNumber(sequence, "a record's sequence"));
        console.log(options.json ? JSON.stringify(receipt, null, 2) : formatReceiptInFull(receipt, out));
        return;
      }
      const limit = wholeNumber(options.limit, "a --limit");
      const receipts = readReceipts(project, (problem) => console.error(`${problem}; skipped`)).slice(-limit);
      console.log(
        options.json
          ? JSON.stringify({ receipts, exitCode: EXIT.done }, null, 2)
          : formatHistory(receipts, out),
      );
    });
}

function wholeNumber(text: string, what: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidInput(`${quote(text)} is not ${what}: use a whole number from 1`);
}
