/** Files that may be absent. Absence is a fact that decisions rest on: what this user may not see is not absent. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { Failure } from "../../release/failure";
import { EXIT } from "../../release/exit-code";

/** @throws Failure if this user has no right to know. */
export function exists(path: string): boolean {
  return allowed(path, () => statSync(path, { throwIfNoEntry: false }) !== undefined) ?? false;
}

/** @returns null if there is no such file. @throws Failure if this user may not read it. */
export function textOrNull(path: string): string | null {
  return allowed(path, () => readFileSync(path, "utf8"));
}

/** The names in a folder; none if there is no such folder. @throws Failure if this user may not list it. */
export function namesIn(folder: string): string[] {
  return allowed(folder, () => readdirSync(folder)) ?? [];
}

/** A folder and those above it, the nearest first. */
export function* upwards(folder: string): Generator<string> {
  yield folder;
  if (folder !== dirname(folder)) yield* upwards(dirname(folder));
}

function allowed<Result>(path: string, read: () => Result): Result | null {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    if (code !== "EACCES" && code !== "EPERM") throw error;
    throw new Failure(
      `${path} can't be read by ${userName()} (${code}): run the command as the user who deploys, or get the right to read it`,
      EXIT.unexpected,
    );
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // This user id has no name here.
    return `user ${process.getuid?.() ?? "unknown"}`;
  }
}
