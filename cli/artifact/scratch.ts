/** A file for the time of one command, beside where artifacts are kept: so that it is kept by a rename. */
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { platformFile } from "../project/project";
import type { Project } from "../project/project";

export const ARTIFACTS_FOLDER = "artifacts";
/** Left behind by a command that was killed. */
export const SCRATCH_FILE = /^\.[0-9a-f-]{36}\.new$/;

/** @param work may make the file, and may rename it. */
export async function withScratchFile<T>(project: Project, work: (file: string) => Promise<T>): Promise<T> {
  const file = platformFile(project, `${ARTIFACTS_FOLDER}/.${randomUUID()}.new`);
  mkdirSync(dirname(file), { recursive: true });
  try {
    return await work(file);
  } finally {
    rmSync(file, { force: true });
  }
}
