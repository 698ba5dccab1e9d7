/** The operator's reason for breaking the glass: required, and asked for at a terminal. */
import { createInterface } from "node:readline/promises";
import { LONGEST_REASON } from "../../release/break-glass";
import { InvalidInput } from "../../release/failure";
import { inOneLine } from "../../release/text";

/** @throws InvalidInput without a reason, or if it is too long. */
export async function requireReason(given: string | undefined): Promise<string> {
  const reason = inOneLine(given ?? (await askAtTerminal())).trim();
  if (reason === "") throw new InvalidInput('a rollback by hand needs a reason: rollback --reason "<why>"');
  if (reason.length <= LONGEST_REASON) return reason;
  throw new InvalidInput(`the reason has ${reason.length} characters, at most ${LONGEST_REASON} are kept`);
}

async function askAtTerminal(): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return "";
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question("Why are users moved by hand? ");
  } finally {
    terminal.close();
  }
}
