/** The project that a command works on: one environment and its record. */
import { InvalidInput } from "../../release/failure";
import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { DEFAULT_ENVIRONMENT_FILE, parseEnvironment } from "../../configuration/environment-file";
import type { Environment } from "../../configuration/environment";
import { workFolder } from "../../configuration/naming";
import { emptyRecord, formatRecord, parseRecord, refuseOtherApplication } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { writeAtomically } from "../../system/atomic-file";
import { privateFolder } from "../../system/private-files";
import { exists, textOrNull, upwards } from "./files";

/** cdktf-cli's synth reads the same variable. */
export const DEFAULT_ENVIRONMENT = process.env["BLUEGREEN_ENVIRONMENT"] || DEFAULT_ENVIRONMENT_FILE;

/** The command that starts the synth entry. */
export type SynthCommand = readonly [string, ...string[]];

export interface Project {
  /** All other paths are relative to it. */
  readonly folder: string;
  readonly environmentFile: string;
  readonly environment: Environment;
  readonly synth: SynthCommand;
}

/**
 * The folder of the project that the operator is in, as git finds it: the nearest one, from the working directory upwards,
 * that has the environment file. Without one it is the working directory itself.
 */
export function projectFolder(environmentFile: string, here = process.cwd()): string {
  // An absolute path would be found below the root.
  const folders = isAbsolute(environmentFile) ? [here] : upwards(here);
  for (const folder of folders) if (exists(join(folder, environmentFile))) return folder;
  return here;
}

export function openProject(folder: string, environmentFile: string, synth?: SynthCommand): Project {
  const path = join(folder, environmentFile);
  const text = textOrNull(path);
  if (text === null) {
    throw new InvalidInput(
      `there is no environment file ${environmentFile}: name one with --environment, or create a project with \`bluegreen init\``,
    );
  }
  const environment = parseEnvironment(text, environmentFile);
  return { folder, environmentFile, environment, synth: synth ?? appCommand(folder) };
}

export function readRecord(project: Project): ReleaseRecord {
  const { record, application } = project.environment;
  const text = textOrNull(join(project.folder, record));
  if (text === null) return emptyRecord(application);
  const found = parseRecord(text, record);
  refuseOtherApplication(found, application, record);
  return found;
}

export function writeRecord(project: Project, record: ReleaseRecord): void {
  writeAtomically(join(project.folder, project.environment.record), formatRecord(record), 0o644);
}

/** A file in the platform's folder, which is created if missing. Other accounts have no way into it. */
export function platformFile(project: Project, name: string): string {
  const folder = join(project.folder, workFolder(project.environment));
  privateFolder(folder);
  return join(folder, name);
}

/** The app of cdktf.json, as cdktf-cli starts it; without one, the two stacks of this package. */
function appCommand(folder: string): SynthCommand {
  const settings = join(folder, "cdktf.json");
  if (existsSync(settings)) {
    const app = readApp(readFileSync(settings, "utf8"));
    if (app !== undefined) return ["sh", "-c", app];
  }
  return packagedApp();
}

function readApp(text: string): string | undefined {
  try {
    const { app } = JSON.parse(text) as { app?: unknown };
    if (app === undefined || typeof app === "string") return app;
  } catch {
    // reported below
  }
  throw new InvalidInput(`cdktf.json is not JSON with an "app" that is a command: correct it, or remove it`);
}

/** The synth entry of this package. */
export function packagedApp(): SynthCommand {
  return [process.execPath, join(__dirname, "..", "..", "main.js")];
}
