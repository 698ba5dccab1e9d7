/** `bluegreen measure` as somebody starts it, around a command that a test wrote. */
import { spawn } from "node:child_process";
import { resolve } from "node:path";

export const COMMAND = resolve("lib/cli/main.js");
/** Enough to measure something, and short. */
export const SHORT = ["--rate", "50", "--warm-up", "0.2", "--cool-down", "0.2"];

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  /** What it said so far. */
  said(): string;
  signal(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
}

export function start(
  args: readonly string[],
  { cwd = resolve("."), env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Running {
  const child = spawn(process.execPath, [COMMAND, "measure", ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: "1", BLUEGREEN_ENVIRONMENT: undefined, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return {
    pid: child.pid ?? 0,
    said: () => stdout + stderr,
    signal: (signal) => child.kill(signal),
    ended: new Promise((done) => child.on("close", (exitCode) => done({ exitCode, stdout, stderr }))),
  };
}

/** A command that runs this program, given as the text of a script. */
export const node = (script: string): string[] => ["--", process.execPath, "--eval", script];
