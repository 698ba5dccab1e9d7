/** A file for the time of one command, beside where artifacts are kept: so that it is kept by a rename. */
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Project } from "../project/project";
import { artifactsFolder } from "./kept-files";

/** Left behind by a command that was killed. */
export const SCRATCH_FILE = /^\.[0-9a-f-]{36}\.new$/;

/** @param work may make the file, and may rename it. */
export async function withScratchFile<T>(project: Project, work: (file: string) => Promise<T>): Promise<T> {
  const folder = artifactsFolder(project);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `.${randomUUID()}.new`);
  try {
    return await work(file);
  } finally {
    rmSync(file, { force: true });
  }
}
