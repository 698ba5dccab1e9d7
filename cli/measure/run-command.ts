/** Runs the user's command as if started directly: no shell, the same streams, and it gets the signals. */
import { constants } from "node:os";
import execa from "execa";
import { InvalidInput } from "../../release/failure";
import { quote } from "../../release/text";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type PassedSignal = (typeof SIGNALS)[number];

/** Catches the signals that would end this process: it ends by itself once it has reported the results. */
export class Interruptions {
  /** The current reaction to a signal. */
  react: (signal: PassedSignal) => void = () => undefined;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, () => this.react(signal));
  }
}

/**
 * @param stdout the file descriptor for the command's stdout: 1, or 2 if our stdout is JSON
 * @returns its exit code; 128 plus the signal's number if a signal ended it, as in shells.
 * @throws InvalidInput if it can't be started.
 */
export async function runCommand(
  [program, ...args]: readonly [string, ...string[]],
  stdout: 1 | 2,
  interruptions: Interruptions,
): Promise<number> {
  let result: execa.ExecaReturnValue & { readonly code?: string };
  try {
    const child = execa(program, args, { stdio: ["inherit", stdout, 2], reject: false, cleanup: false });
    interruptions.react = (signal) => {
      // A terminal sends Ctrl-C to the command too, and many stop at once on a second one.
      if (signal !== "SIGINT" || !hasTerminal()) child.kill(signal, { forceKillAfterTimeout: false });
    };
    result = await child;
  } catch (error) {
    throw notStarted(program, error as { readonly code?: string });
  } finally {
    interruptions.react = () => undefined;
  }
  if (result.exitCode !== undefined) return result.exitCode;
  if (result.signal !== undefined) return 128 + (constants.signals[result.signal as NodeJS.Signals] ?? 0);
  throw notStarted(program, result);
}

function notStarted(program: string, { code }: { readonly code?: string }): InvalidInput {
  return new InvalidInput(`${quote(program)} can't be started: ${code ?? "unknown error"}`);
}

function hasTerminal(): boolean {
  return [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY === true);
}
