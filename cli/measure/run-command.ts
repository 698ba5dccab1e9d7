/** Runs somebody's command as it would run without us: no shell, our streams, and signals that reach it. */
import { constants } from "node:os";
import execa from "execa";
import { InvalidInput } from "../../release/failure";
import { quote } from "../../release/text";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type PassedSignal = (typeof SIGNALS)[number];

/** Takes what would end this process, from now on: it ends by itself once it has said what it measured. */
export class Interruptions {
  /** What a signal means at the moment. */
  react: (signal: PassedSignal) => void = () => undefined;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, () => this.react(signal));
  }
}

/**
 * @param stdout where the command's stdout goes: 1, or 2 where ours is for a machine
 * @returns its exit code; 128 and the signal's number where a signal ended it, as shells say it.
 * @throws InvalidInput where it can't be started.
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
      // A terminal sends Ctrl-C to the command too, and many take a second one as "at once".
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
