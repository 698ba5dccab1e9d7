/**
 * How a program on a server ends. Its exit code is a failure until it has printed its result, the last line on stdout.
 * Otherwise an event loop that drains while something still waits would end with 0. The step that started the program
 * requires the line, too (result-line.sh).
 */
import { EXIT } from "../release/exit-code";

/** The time after the end of a program in which it may close what it opened. */
const LINGER_MS = 10_000;

/** Whether this process printed its result. */
let printed = false;

/**
 * Prints the result, as one line. If it can't be written, the error goes to stderr, and the program does not end with 0.
 * @param result an object with an `outcome`, or a text for people, which is printed as it is.
 */
export async function printResult(result: object | string): Promise<void> {
  const line = typeof result === "string" ? result : JSON.stringify(result);
  // The failure also comes as an event, which would end the process if nothing listened.
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
 * @param name the beginning of its lines on stderr.
 * @param main resolves to the exit code; 0 counts only after {@link printResult}.
 * @param failed gets the error that `main` threw, reports it, and returns the exit code. 0 counts as 1.
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
    // An open connection must not keep a finished step running.
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
  console.error(`${name}: ended without a result, so it is not known what it did: try again`);
}
