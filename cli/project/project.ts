/** The project that a command works on: one environment and its record, read from the working directory. */
import { InvalidInput } from "../../release/failure";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_ENVIRONMENT_FILE, parseEnvironment } from "../../configuration/environment-file";
import type { Environment } from "../../configuration/environment";
import { workFolder } from "../../configuration/naming";
import { emptyRecord, formatRecord, parseRecord, refuseOtherApplication } from "../../release/record";
import type { ReleaseRecord } from "../../release/record";
import { writeAtomically } from "../../system/atomic-file";

/** The same variable tells cdktf-cli's synth. */
export const DEFAULT_ENVIRONMENT = process.env["BLUEGREEN_ENVIRONMENT"] || DEFAULT_ENVIRONMENT_FILE;

/** How the synth entry is started, as a list of arguments. */
export type SynthCommand = readonly [string, ...string[]];

export interface Project {
  /** Everything else is relative to it. */
  readonly folder: string;
  readonly environmentFile: string;
  readonly environment: Environment;
  readonly synth: SynthCommand;
}

export function openProject(folder: string, environmentFile: string, synth?: SynthCommand): Project {
  const path = join(folder, environmentFile);
  if (!existsSync(path)) {
    throw new InvalidInput(
      `there is no environment file ${environmentFile}: name one with --environment, or make a project with \`bluegreen init\``,
    );
  }
  const environment = parseEnvironment(readFileSync(path, "utf8"), environmentFile);
  return { folder, environmentFile, environment, synth: synth ?? appCommand(folder) };
}

export function readRecord(project: Project): ReleaseRecord {
  const { record, application } = project.environment;
  const path = join(project.folder, record);
  if (!existsSync(path)) return emptyRecord(application);
  const found = parseRecord(readFileSync(path, "utf8"), record);
  refuseOtherApplication(found, application, record);
  return found;
}

export function writeRecord(project: Project, record: ReleaseRecord): void {
  writeAtomically(join(project.folder, project.environment.record), formatRecord(record), 0o644);
}

/** A file of the platform's own folder, which is made where it is missing. */
export function platformFile(project: Project, name: string): string {
  const folder = join(project.folder, workFolder(project.environment));
  mkdirSync(folder, { recursive: true });
  return join(folder, name);
}

/** The app of cdktf.json, as cdktf-cli would start it; without one, the package's own two stacks. */
function appCommand(folder: string): SynthCommand {
  const settings = join(folder, "cdktf.json");
  if (existsSync(settings)) {
    const app = readApp(readFileSync(settings, "utf8"));
    if (app !== undefined) return ["sh", "-c", app];
  }
  return ownApp();
}

function readApp(text: string): string | undefined {
  try {
    const { app } = JSON.parse(text) as { app?: unknown };
    if (app === undefined || typeof app === "string") return app;
  } catch {
    // said below
  }
  throw new InvalidInput(`cdktf.json is not JSON with an "app" that is a command: mend it, or remove it`);
}

/** The package's own synth entry. */
export function ownApp(): SynthCommand {
  return [process.execPath, join(__dirname, "..", "..", "main.js")];
}
