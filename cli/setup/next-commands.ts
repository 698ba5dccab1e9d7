/** The commands that start bluegreen and the synth in a project, ready to paste. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { cdktfCommand } from "../project/cdktf-command";
import { findProgram } from "../../system/executable";
import { packagedApp } from "../project/project";
import type { Answers } from "./answers";
import { environmentFileOf } from "./answers";

const PACKAGE = "cdktf-bluegreen";
const INSTALLED = `node_modules/${PACKAGE}`;

/** The `app` of cdktf.json. @returns a note if it works on this machine only. */
export function synthCommandIn(folder: string): { readonly command: string; readonly note: string | null } {
  if (existsSync(join(folder, INSTALLED, "lib/main.js")))
    return { command: `node ${INSTALLED}/lib/main.js`, note: null };
  const [, main = ""] = packagedApp();
  const below = relative(resolve(folder), main);
  if (!below.startsWith("..")) return { command: `node ${quoted(below)}`, note: null };
  return {
    command: `node ${quoted(main)}`,
    note: `cdktf.json has a path of this machine; for other machines: npm install --save-dev ${PACKAGE}, and "app": "node ${INSTALLED}/lib/main.js"`,
  };
}

/** The command to type in this folder. */
export function commandIn(folder: string): string {
  if (existsSync(join(folder, "node_modules/.bin/bluegreen")) || isThePackage(folder)) return "npx bluegreen";
  const main = join(__dirname, "..", "main.js");
  const onPath = findProgram("bluegreen");
  if (onPath !== undefined && realpathSync(onPath) === realpathSync(main)) return "bluegreen";
  return `node ${quoted(main)}`;
}

export function nextCommands({
  folder,
  bluegreen,
  answers,
  example,
}: {
  readonly folder: string;
  readonly bluegreen: string;
  readonly answers: Answers;
  readonly example: boolean;
}): string[] {
  const { name, platform } = answers;
  const environment = name === "local" ? "" : ` --environment ${environmentFileOf(name)}`;
  const command = (text: string): string => `${bluegreen} ${text}${environment}`;
  const enter = resolve(folder) === process.cwd() ? [] : [`cd ${quoted(folder)}`];
  if (platform === "azure") {
    return [
      ...enter,
      command("doctor"),
      command("plan base"),
      `BLUEGREEN_ENVIRONMENT=${environmentFileOf(name)} ${cdktfCommand("deploy base", resolve(folder))}`,
    ];
  }
  if (!example) return [...enter, command("doctor"), command("release 1.0.0 --artifact app-1.0.0.zip")];
  const release = (version: string, more = ""): string =>
    command(`release ${version} --artifact packages/socialgoal-${version}.zip${more}`);
  return [
    ...enter,
    command("doctor"),
    release("1.0.0"),
    release("1.1.0", " --strategy canary --steps 10,50,100 --step-seconds 3"),
    command("status"),
    command("rollback"),
    release("1.2.0"),
    command("down"),
  ];
}

function isThePackage(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: unknown };
    return name === PACKAGE;
  } catch {
    return false;
  }
}

/** Quoted as one word for a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
