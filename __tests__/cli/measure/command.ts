/** `bluegreen measure` as somebody starts it, around a command that a test wrote. */
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { follow } from "../../../development/testbed/processes";
import type { Running } from "../../../development/testbed/processes";

export const COMMAND = resolve("lib/cli/main.js");
/** Enough to measure something, and short. */
export const SHORT = ["--rate", "50", "--warm-up", "0.2", "--cool-down", "0.2"];

export function start(
  args: readonly string[],
  { cwd = resolve("."), env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Running & { output(): string } {
  const child = spawn(process.execPath, [COMMAND, "measure", ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: "1", BLUEGREEN_ENVIRONMENT: undefined, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const running = follow(child);
  return {
    ...running,
    output: () => running.stdout() + running.stderr(),
    signal: (signal) => void child.kill(signal),
  };
}

/** A command that runs this program, given as the text of a script. */
export const node = (script: string): string[] => ["--", process.execPath, "--eval", script];
