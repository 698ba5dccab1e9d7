/** A receipt from a file that somebody names. */
import { InvalidInput } from "../../release/failure";
import { readFileSync } from "node:fs";
import { MeasureReceipt, Receipt } from "../../release/receipt";
import { parseFile } from "../../release/validation";

/** Instead of a file: what comes on stdin, or goes to stdout. */
export const STREAM = "-";
const STDIN = 0;

/** @throws Failure where the file cannot be read, InvalidInput where it is no receipt. */
export function readReceipt(file: string): Receipt | MeasureReceipt {
  let text: string;
  try {
    text = readFileSync(file === STREAM ? STDIN : file, "utf8");
  } catch (error) {
    throw new InvalidInput(`${file} cannot be read: ${(error as Error).message}`);
  }
  const name = file === STREAM ? "stdin" : file;
  return isMeasured(text) ? parseFile(MeasureReceipt, text, name) : parseFile(Receipt, text, name);
}

/** Which of the two it is, so that what is wrong with it is said of that one. */
function isMeasured(text: string): boolean {
  try {
    return (JSON.parse(text) as { action?: unknown } | null)?.action === "measure";
  } catch {
    return false;
  }
}
