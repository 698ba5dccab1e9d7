/**
 * How a program on a server ends. It starts with a failing exit code and earns 0 by its result, which is its last line on
 * stdout: an event loop that drains, because something waits for what never comes, would end with 0 without a word. The
 * step that started the program looks for the line as well (result-line.sh).
 */
import { EXIT } from "../release/exit-code";

/** A program that has ended may still close what it opened. */
const LINGER_MS = 10_000;

/** Whether this process printed its result; a program has one. */
let printed = false;

/**
 * Prints the result, as one line. Where it can't be written, stderr says so, and the program does not end with 0.
 * @param result an object with an `outcome`, or what a person asked for, as it is.
 */
export async function printResult(result: object | string): Promise<void> {
  const line = typeof result === "string" ? result : JSON.stringify(result);
  // The failure comes twice: to the callback, and as an event that ends the process where nothing listens.
  process.stdout.once("error", () => undefined);
  await new Promise<void>((resolve) => {
    process.stdout.write(`${line}\n`, (error) => {
      printed = error === undefined || error === null;
      if (!printed) console.error(`the result can't be written: ${error!.message}`);
      resolve();
    });
  });
}

/**
 * Runs a program to its end.
 * @param name as its lines on stderr begin.
 * @param main the exit code that it resolves to is the program's; 0 counts only after {@link printResult}.
 * @param failed what `main` threw: says why, and gives the exit code. 0 is none, and counts as 1.
 */
export function runProgram(
  name: string,
  main: () => Promise<number>,
  failed: (error: Error) => number | Promise<number>,
): void {
  process.exitCode = EXIT.unexpected;
  let ended = false;
  const end = (exitCode: number): void => {
    ended = true;
    if (exitCode === EXIT.done && !printed) reportMissingResult(name);
    else process.exitCode = exitCode;
    // What is left open, such as a connection, keeps no step at work that has ended.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  };
  process.once("beforeExit", () => {
    if (!ended) reportMissingResult(name);
  });
  main()
    .catch(async (error: unknown) => {
      return (await failed(error instanceof Error ? error : new Error(String(error)))) || EXIT.unexpected;
    })
    .then(end, (error: Error) => {
      ended = true;
      console.error(`${name}: ${error.message}`);
    });
}

function reportMissingResult(name: string): void {
  process.exitCode = EXIT.unexpected;
  console.error(`${name}: ended without a result, so what it did is not known: try again`);
}
