/** Reads files of a server of the local platform. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Names of the commands that ran on a server. */
export function commandsIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

export function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return otherwise;
  }
}
