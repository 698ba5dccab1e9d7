/** The operator's reason for a rollback by hand, asked for at a terminal. */
import { createInterface } from "node:readline/promises";
import { requireReason } from "../../release/moved-by-hand";

/** @throws InvalidInput */
export async function reasonOrAsk(given: string | undefined): Promise<string> {
  return requireReason(given ?? (await askAtTerminal()));
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
