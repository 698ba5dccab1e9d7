/**
 * A lock that can't be stale. The kernel holds it (flock) for a child that lives as long as its standard input, which is
 * ours: it ends with this process, however that ends. The holder's description is for a process that waits.
 */
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { chmodSync, closeSync, openSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { writeAtomically } from "./atomic-file";

const HELD = 9;
const AT_ONCE = ["--nonblock", "--conflict-exit-code", String(HELD)];
/**
 * `isLocked` has the lock for some milliseconds, which must not refuse another process. Not `--wait`: an alarm before
 * flock waits is lost, and flock then waits forever.
 */
const TRIES = 15;
const BETWEEN_TRIES_MS = 30;

type Child = ChildProcessByStdio<Writable, Readable, null>;

export interface ProcessLock {
  /** The description of a holder that ended without releasing the lock. The kernel frees the lock only after its end. */
  readonly takenOverFrom: string | null;
  release(): void;
}

/** @returns null if another process holds it. @throws Error without flock (util-linux). */
export async function tryLock(file: string, holder: string): Promise<ProcessLock | null> {
  let child = await take(file);
  for (let tries = 1; child === null && tries < TRIES; tries += 1) {
    await sleep(BETWEEN_TRIES_MS);
    child = await take(file);
  }
  if (child === null) return null;
  const { stdin } = child;
  // The lock keeps no process alive: the holder may end with it.
  child.unref();
  child.stdout.destroy();
  (stdin as Socket).unref();
  stdin.on("error", () => undefined);
  const takenOverFrom = readHolder(file);
  writeAtomically(`${file}.holder`, holder);
  const release = (): void => {
    if (stdin.destroyed) return;
    rmSync(`${file}.holder`, { force: true });
    stdin.destroy();
  };
  return { takenOverFrom, release };
}

/** The child that holds it; null if another process does. */
async function take(file: string): Promise<Child | null> {
  // Every account that may open the file can hold the lock for ever, and so stop all releases.
  try {
    closeSync(openSync(file, "a", 0o600));
    chmodSync(file, 0o600);
  } catch {
    // flock fails, too, and reports it.
  }
  // `--no-fork`: a flock that waits for its command frees the lock slightly later.
  const command = [...AT_ONCE, "--exclusive", "--no-fork", file, "sh", "-c", "echo held; exec cat"];
  const child = spawn("flock", command, { stdio: ["pipe", "pipe", "ignore"], detached: true });
  const outcome = await new Promise<"held" | number>((resolve, reject) => {
    child.once("error", (error) =>
      reject(new Error(`flock (util-linux) can't be started: ${error.message}`)),
    );
    child.stdout.once("data", () => resolve("held"));
    child.once("exit", (code) => resolve(code ?? 1));
  });
  if (outcome === HELD) return null;
  if (outcome !== "held") throw new Error(`${file} can't be locked: flock ended with exit code ${outcome}`);
  return child;
}

/** Takes a shared lock for a moment, without a holder's description. */
export async function isLocked(file: string): Promise<boolean> {
  const child = spawn("flock", [...AT_ONCE, "--shared", file, "true"], { stdio: "ignore" });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  return code === HELD;
}

/** The description of the lock's holder. */
export function lockHolder(file: string): string {
  return readHolder(file) ?? "unknown";
}

function readHolder(file: string): string | null {
  try {
    return readFileSync(`${file}.holder`, "utf8");
  } catch {
    return null;
  }
}
