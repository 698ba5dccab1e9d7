/** Questions to a person. They go to stderr, so that stdout stays the result's. */
import { Failure } from "../../release/failure";
import type * as Prompts from "@inquirer/prompts";
import { EXIT } from "../../release/exit-code";

/** Whether somebody is there to answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Where the prompts are drawn, for the second argument of each. */
export const DRAWN = { output: process.stderr } as const;

/** Runs prompts. @throws Failure (refused) after Ctrl-C: what was asked for was not done. */
export async function ask<T>(prompts: (library: typeof Prompts) => Promise<T>): Promise<T> {
  const library = await import("@inquirer/prompts");
  try {
    return await prompts(library);
  } catch (error) {
    if ((error as Error).name !== "ExitPromptError") throw error;
    throw new Failure("stopped: nothing was changed", EXIT.refused);
  }
}

/** A question that Enter answers with no. @throws Failure (refused) after Ctrl-C. */
export function confirm(message: string): Promise<boolean> {
  return ask((prompts) => prompts.confirm({ message, default: false }, DRAWN));
}
