/** Prompts. They use stderr, so that stdout has only the result. */
import { Failure } from "../../release/failure";
import type * as Prompts from "@inquirer/prompts";
import { EXIT } from "../../release/exit-code";

/** Whether there is a terminal to ask at. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Whether a command asks its questions: not with --yes, nor where its output is for a program. */
export function mayAsk({ yes, json }: { readonly yes?: boolean; readonly json?: boolean }): boolean {
  return yes !== true && json !== true && canAsk();
}

/** Each prompt's second argument: draw on stderr. */
export const DRAWN = { output: process.stderr } as const;

/** Runs prompts. @throws Failure (refused) after Ctrl-C: nothing was changed. */
export async function ask<T>(prompts: (library: typeof Prompts) => Promise<T>): Promise<T> {
  const library = await import("@inquirer/prompts");
  try {
    return await prompts(library);
  } catch (error) {
    if ((error as Error).name !== "ExitPromptError") throw error;
    throw new Failure("cancelled: nothing was changed", EXIT.refused);
  }
}

/** A yes/no question; the default is no. @throws Failure (refused) after Ctrl-C. */
export function confirm(message: string): Promise<boolean> {
  return ask((prompts) => prompts.confirm({ message, default: false }, DRAWN));
}
