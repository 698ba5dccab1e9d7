/**
 * `bluegreen init`: makes a project that can release. Everything is decided and checked before the first file is
 * written, and no file that is there is overwritten.
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

/** Of the sample application: good ones, and one that never becomes healthy. */
const EXAMPLE_VERSIONS = ["1.0.0", "1.1.0", "1.2.0", "1.4.0"] as const;
const EXAMPLE_NOTE =
  "of the sample's versions, 1.2.0 never becomes healthy: its release is refused, and nobody notices";
const PACKAGES = "packages";
const IGNORED = [".bluegreen/", "cdktf.out/"];

export interface Initialized {
  /** As it was given. */
  readonly folder: string;
  readonly environment: string;
  readonly created: readonly string[];
  /** Was there, and stays as it was. */
  readonly kept: readonly string[];
  /** Was there, and has more lines now. */
  readonly extended: readonly string[];
  readonly notes: readonly string[];
  /** Commands that work as they stand, in the folder that the command was started in. */
  readonly next: readonly string[];
}

/** @throws Failure (refused) where the environment is there already: its answers would mean nothing. */
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
      `${environment} is there already: nothing was written. Give another --name, or edit the file`,
      EXIT.refused,
    );
  }
  const synth = synthCommandIn(folder);
  const wanted = [
    [environment, environmentText(answers, example)],
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
      example ? EXAMPLE_NOTE : whatIsExpected(answers),
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

/** What an application has to do, to be told apart from its next release. */
function whatIsExpected({ platform, os, start, healthPath }: Answers): string {
  if (platform === "azure" && os === "windows") {
    return `an artifact is a zip of the site; docs/azure.md says what IIS needs of it`;
  }
  return (
    `an artifact is a zip in whose top folder \`${start.join(" ")}\` starts the application on HOST and PORT; ` +
    `GET ${healthPath} answers 200 with BLUEGREEN_RELEASE_ID of its environment in the header x-release-id`
  );
}

function refuseNoFolder(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory()) {
    throw new InvalidInput(`${folder} is a file: name a folder for the project`);
  }
}

/** @returns false where the file is there. */
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

/** As `cdktf init` writes it. */
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
