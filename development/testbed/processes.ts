/** Runs programs in parallel to the test: follows their output, waits for them, finds their processes. */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const POLL_MS = 10;

/** Long enough for a busy machine: after this time the test fails. */
const PATIENCE_MS = 60_000;

export interface Ran {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ran>;
  /** The output on stderr so far. */
  stderr(): string;
  /** The output on stdout so far. */
  stdout(): string;
  /** To the whole process group, as a terminal does. */
  signal(signal: NodeJS.Signals): void;
}

/**
 * The one error message on stderr. Lines of progress may come before it.
 * @throws Error with the whole output if there is a stack trace, or more than one message.
 */
export function oneLine({ exitCode, stdout, stderr }: Ran): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const messages = lines.filter((line) => !PROGRESS.test(line));
  const [first, ...more] = messages;
  if (first !== undefined && more.length === 0) return first;
  throw new Error(`exit code ${exitCode}, and not exactly one error message:\n${stdout}${stderr}`);
}

/** The command's progress, as opposed to its result; and the hint after a misspelt option. */
const PROGRESS =
  /^(ok: |deploying base|base: |planning record|plan: |warning: |the lock is taken over|migrations: |rolling back to |aborting: |destroying |\(--help|\(Did you mean)|\(record \d+\)$/;

export function follow(child: ChildProcess): Running {
  let stdout = "";
  let stderr = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
  return {
    pid: child.pid!,
    ended,
    stderr: () => stderr,
    stdout: () => stdout,
    signal: (signal) => process.kill(-child.pid!, signal),
  };
}

export async function succeed(ended: Promise<Ran>): Promise<Ran> {
  const ran = await ended;
  if (ran.exitCode !== 0) throw new Error(`exit code ${ran.exitCode}: ${ran.stderr}${ran.stdout}`);
  return ran;
}

/** Polls until the condition is true. Throws after the timeout, or when the program that must be `running` ends. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { patienceMs = PATIENCE_MS, running }: { patienceMs?: number; running?: Running } = {},
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  let ended: Ran | undefined;
  void running?.ended.then((ran) => (ended = ran));
  while (!(await condition())) {
    if (ended !== undefined)
      throw new Error(
        `ended with exit code ${ended.exitCode} before ${what}: ${ended.stderr}${ended.stdout}`,
      );
    if (Date.now() >= deadline) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await pause(POLL_MS);
  }
}

/** Processes with their working directory in a folder, each with its command line. */
export function processesIn(folder: string): { readonly pid: number; readonly command: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const cwd = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, "");
        if (cwd !== folder && !cwd.startsWith(`${folder}/`)) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        return command === "" ? [] : [{ pid: Number(pid), command: command.slice(0, 200) }];
      } catch {
        return []; // It ended meanwhile.
      }
    });
}
