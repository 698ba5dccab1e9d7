/** Reads a receipt from a file or from stdin. */
import { InvalidInput } from "../../release/failure";
import { readFileSync } from "node:fs";
import { MeasureReceipt, Receipt } from "../../release/receipt";
import { parseFile } from "../../release/validation";

/** Instead of a file name: stdin or stdout. */
export const STREAM = "-";
const STDIN = 0;

/** @throws InvalidInput if the file cannot be read or is not a receipt. */
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

/** Which of the two formats it is, so that errors are about that one. */
function isMeasured(text: string): boolean {
  try {
    return (JSON.parse(text) as { action?: unknown } | null)?.action === "measure";
  } catch {
    return false;
  }
}
