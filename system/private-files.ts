/** Keeps what this process and its programs write from other accounts of the machine. */
import { chmodSync, mkdirSync, statSync } from "node:fs";

const OTHERS = 0o077;

/** Starts a program whose files only this account can read: Terraform's state and plans have what servers answered. */
export function withPrivateFiles<T>(start: () => T): T {
  const before = process.umask(OTHERS);
  try {
    return start();
  } finally {
    process.umask(before);
  }
}

/**
 * Creates a folder for this account alone, and closes an existing one that others can read or change. One that they can only
 * pass through stays as it is: the application's account reaches its files through it.
 */
export function privateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { mode, uid } = statSync(path);
  if (uid === process.getuid?.() && (mode & 0o066) !== 0) chmodSync(path, mode & 0o700);
}
