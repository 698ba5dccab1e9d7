/**
 * A lock that can't be stale. The kernel holds it (flock) for a child that lives as long as its standard input,
 * which is ours: so it ends with this process, however that ends. The holder's words are for the one who waits.
 */
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { writeAtomically } from "./atomic-file";

const HELD = 9;
const AT_ONCE = ["--nonblock", "--conflict-exit-code", String(HELD)];
/**
 * Whoever only looks (`isLocked`) has the lock for some milliseconds: that is no holder to be refused for. Not `--wait`: an
 * alarm that rings before flock waits is lost, and then it waits for good.
 */
const TRIES = 15;
const BETWEEN_TRIES_MS = 30;

type Child = ChildProcessByStdio<Writable, Readable, null>;

export interface ProcessLock {
  /** The words of a holder that ended without releasing it: it is gone, or the kernel would not have given the lock away. */
  readonly takenOverFrom: string | null;
  release(): void;
}

/** @returns null where another process holds it. @throws Error where there is no flock (util-linux). */
export async function tryLock(file: string, holder: string): Promise<ProcessLock | null> {
  let child = await take(file);
  for (let tries = 1; child === null && tries < TRIES; tries += 1) {
    await sleep(BETWEEN_TRIES_MS);
    child = await take(file);
  }
  if (child === null) return null;
  const { stdin } = child;
  // Who holds a lock may end with it: it keeps no process alive.
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

/** The child that holds it; null where another process does. */
async function take(file: string): Promise<Child | null> {
  // One process: a flock that waited for its command would free the lock a turn of the processor later.
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

/** For whoever only looks: shares the lock, for no longer than the look, and says nothing of itself. */
export async function isLocked(file: string): Promise<boolean> {
  const child = spawn("flock", [...AT_ONCE, "--shared", file, "true"], { stdio: "ignore" });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  return code === HELD;
}

/** Who holds the lock. */
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
