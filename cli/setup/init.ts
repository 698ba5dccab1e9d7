/**
 * `bluegreen init`: creates a project that can release. It checks everything before it writes the first file, and
 * overwrites no file.
 */
import { Failure, InvalidInput } from "../../release/failure";
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EXIT } from "../../release/exit-code";
import { emptyRecord, formatRecord } from "../../release/record";
import type { Progress } from "../terminal/progress";
import { environmentFileOf, environmentOf, environmentText, recordFileOf } from "./answers";
import type { Answers } from "./answers";
import { commandIn, nextCommands, synthCommandIn } from "./next-commands";

/** Of the sample application; one of them never becomes healthy. */
const EXAMPLE_VERSIONS = ["1.0.0", "1.1.0", "1.2.0", "1.4.0"] as const;
const EXAMPLE_NOTE =
  "the sample's version 1.2.0 never becomes healthy: its release is rejected, and users notice nothing";
const PACKAGES = "packages";
const IGNORED = [".bluegreen/", "cdktf.out/"];

export interface Initialized {
  /** As given. */
  readonly folder: string;
  readonly environment: string;
  readonly created: readonly string[];
  /** Existing files, unchanged. */
  readonly kept: readonly string[];
  /** Existing files with new lines. */
  readonly extended: readonly string[];
  readonly notes: readonly string[];
  /** Commands to paste, for the folder that the command was started in. */
  readonly next: readonly string[];
}

/** @throws Failure (refused) if the environment file exists: the answers would have no effect. */
export async function init(
  folder: string,
  answers: Answers,
  example: boolean,
  notes: readonly string[],
  progress: Progress,
): Promise<Initialized> {
  environmentOf(answers);
  refuseNoFolder(folder);
  const environment = environmentFileOf(answers.name);
  if (existsSync(join(folder, environment))) {
    throw new Failure(
      `${environment} already exists: nothing was written. Choose another --name, or edit the file`,
      EXIT.refused,
    );
  }
  const synth = synthCommandIn(folder);
  const wanted = [
    [environment, environmentText(answers)],
    [recordFileOf(answers.name), formatRecord(emptyRecord(answers.application))],
    ["cdktf.json", cdktfSettings(answers.application, synth.command)],
  ] as const;
  const created: string[] = [];
  const kept: string[] = [];
  for (const [file, text] of wanted) (create(join(folder, file), text) ? created : kept).push(file);
  const ignored = ignore(folder);
  if (ignored === "created") created.push(".gitignore");
  if (ignored === "kept") kept.push(".gitignore");
  if (example) await packExample(folder, answers, { created, kept }, progress);
  return {
    folder,
    environment,
    created,
    kept,
    extended: ignored === "extended" ? [".gitignore"] : [],
    notes: [
      ...notes,
      example ? EXAMPLE_NOTE : requirements(answers),
      ...(kept.includes("cdktf.json") || synth.note === null ? [] : [synth.note]),
    ],
    next: nextCommands({ folder, bluegreen: commandIn(folder), answers, example }),
  };
}

export function formatInitialized({ folder, created, kept, extended, notes, next }: Initialized): string {
  const line = (what: string, files: readonly string[]): string[] =>
    files.length === 0 ? [] : [`${what} ${files.join(", ")}`];
  return [
    ...line("created ", created),
    ...line("kept    ", kept),
    ...line("extended", extended),
    ...notes,
    "",
    folder === "." ? "Next:" : `Next, in ${folder}:`,
    "",
    ...next.map((command) => `  ${command}`),
  ].join("\n");
}

/** What the application must do so that its releases can be verified. */
function requirements({ platform, os, start, healthPath }: Answers): string {
  if (platform === "azure" && os === "windows") {
    return `an artifact is a zip of the site; for the requirements of IIS see docs/azure.md`;
  }
  return (
    `an artifact is a zip in whose top folder \`${start.join(" ")}\` starts the application on HOST and PORT; ` +
    `GET ${healthPath} answers 200 with the header x-release-id, whose value is the environment variable BLUEGREEN_RELEASE_ID`
  );
}

function refuseNoFolder(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory()) {
    throw new InvalidInput(`${folder} is a file: name a folder for the project`);
  }
}

/** @returns false if the file exists. */
function create(path: string, text: string): boolean {
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function ignore(folder: string): "created" | "extended" | "kept" {
  const path = join(folder, ".gitignore");
  if (create(path, `${IGNORED.join("\n")}\n`)) return "created";
  const text = readFileSync(path, "utf8");
  const lines = text.split(/\r?\n/).map((line) => line.trim().replace(/^\//, ""));
  const missing = IGNORED.filter((line) => !lines.includes(line) && !lines.includes(line.slice(0, -1)));
  if (missing.length === 0) return "kept";
  appendFileSync(path, `${text === "" || text.endsWith("\n") ? "" : "\n"}${missing.join("\n")}\n`);
  return "extended";
}

/** In the form of `cdktf init`. */
function cdktfSettings(application: string, app: string): string {
  const settings = {
    language: "typescript",
    app,
    projectId: `bluegreen-${application}`,
    sendCrashReports: "false",
    terraformProviders: [],
    terraformModules: [],
    context: {},
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}

async function packExample(
  folder: string,
  { database }: Answers,
  { created, kept }: { created: string[]; kept: string[] },
  progress: Progress,
): Promise<void> {
  const { packRelease } = await import("../../examples/socialgoal/pack.js");
  for (const version of EXAMPLE_VERSIONS) {
    const file = `${PACKAGES}/socialgoal-${version}.zip`;
    if (existsSync(join(folder, file))) {
      kept.push(file);
      continue;
    }
    progress.now(`packing ${file}`);
    await packRelease({ version, to: join(folder, PACKAGES), database: database ?? undefined });
    created.push(file);
  }
  progress.stop();
}
