/** The logs of a candidate's instances on the local platform, for when it does not start. */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
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

/** The end of an instance's log, for a terminal: no control characters. */
export interface LastLines {
  /** The file, relative to the project. */
  readonly log: string;
  readonly lines: readonly string[];
}

/** Marks where the candidate's logs end now. @returns what was written from here on: the last lines of each log that has any. */
export function followLogs(project: Project, record: ReleaseRecord): () => LastLines[] {
  const sizes = new Map(
    candidateLogs(project, record).map((log) => [log, statSync(join(project.folder, log)).size]),
  );
  return () =>
    candidateLogs(project, record).flatMap((log) => {
      try {
        const lines = linesFrom(join(project.folder, log), sizes.get(log) ?? 0);
        return lines.length === 0 ? [] : [{ log, lines }];
      } catch {
        // It must not hide what became of the release.
        return [];
      }
    });
}

function linesFrom(file: string, mark: number): string[] {
  const descriptor = openSync(file, "r");
  try {
    const { size } = fstatSync(descriptor);
    // Shortened since: all of it is new.
    const begin = size < mark ? 0 : mark;
    const from = Math.max(begin, size - READ_BYTES);
    const buffer = Buffer.alloc(size - from);
    const text = buffer.toString("utf8", 0, readSync(descriptor, buffer, 0, buffer.length, from));
    // The first line may be the rest of one.
    const whole = from === begin ? text : text.slice(text.indexOf("\n") + 1);
    return whole
      .split("\n")
      .map((line) => inOneLine(line).trim())
      .filter((line) => line !== "")
      .slice(-SHOWN_LINES)
      .map((line) => (line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}...` : line));
  } finally {
    closeSync(descriptor);
  }
}
