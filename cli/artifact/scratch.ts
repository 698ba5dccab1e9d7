/** A temporary file of one command, in the folder of the artifacts: a rename keeps it. */
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Project } from "../project/project";
import { artifactsFolder } from "./kept-files";

/** Also matches what a killed command left behind. */
export const SCRATCH_FILE = /^\.[0-9a-f-]{36}\.new$/;

/** @param work may create and rename the file. */
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
