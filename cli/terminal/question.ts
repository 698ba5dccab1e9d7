/** Asks a person, where there is one: on stderr, so that stdout stays the result's. */

/** Whether somebody sits at a terminal and reads what is asked. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** @returns false for no, and for Ctrl-C: nobody agreed. */
export async function confirm(message: string): Promise<boolean> {
  const prompts = await import("@inquirer/prompts");
  try {
    return await prompts.confirm({ message, default: false }, { output: process.stderr });
  } catch (error) {
    if ((error as Error).name === "ExitPromptError") return false;
    throw error;
  }
}
