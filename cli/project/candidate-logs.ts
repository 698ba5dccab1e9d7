/** The logs of a candidate's instances on the local platform, for when it does not start. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { serverFolder, slotEndpoints } from "../../configuration/naming";
import { isLocal } from "../../configuration/platform";
import { inOneLine } from "../../release/text";
import type { ReleaseRecord } from "../../release/record";
import type { Project } from "./project";

/** @returns existing files, relative to the project; none on Azure, where the step's output has the cause. */
export function candidateLogs({ folder, environment }: Project, { active }: ReleaseRecord): string[] {
  if (!isLocal(environment)) return [];
  return slotEndpoints(environment)
    [active].map(({ server }) => `${serverFolder(environment, server)}/logs/${active}.log`)
    .filter((log) => existsSync(join(folder, log)));
}

const SHOWN_LINES = 5;
const SHOWN_CHARACTERS = 200;
const READ_BYTES = 8_192;

/** The end of a log, for a terminal: no control characters. @returns nothing if it can't be read. */
export function lastLines(log: string): string[] {
  let text: string;
  try {
    text = endOf(log);
  } catch {
    return [];
  }
  const lines = text.split("\n").map((line) => inOneLine(line).trim());
  return lines
    .filter((line) => line !== "")
    .slice(-SHOWN_LINES)
    .map((line) => (line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}...` : line));
}

function endOf(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    const from = Math.max(0, fstatSync(descriptor).size - READ_BYTES);
    const bytes = readSync(descriptor, buffer, 0, READ_BYTES, from);
    const text = buffer.toString("utf8", 0, bytes);
    // The first line may be the rest of one.
    return from === 0 ? text : text.slice(text.indexOf("\n") + 1);
  } finally {
    closeSync(descriptor);
  }
}
