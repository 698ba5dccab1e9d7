/** Command lines in documents: what a shell makes of them, and what the command's own parser says to that. Nothing is carried out. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { buildProgram } from "../../cli/program";

/**
 * bash itself splits the words: it finds no program on this PATH, and hands each command line to the function that is
 * asked for what is not found. Builtins run, in a folder of their own. One write for each: both sides of a pipe write at the
 * same time.
 */
const RECORDER = `command_not_found_handle() { local line; printf -v line '%s\\x1f' "$@"; printf '%s\\x1e' "$line" >>"$RECORDED"; }\n`;

/** The commands that a script comes to, as words. */
export function commandsIn(script: string): string[][] {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-documents-"));
  const recorded = join(folder, "recorded");
  try {
    spawnSync("/bin/bash", ["--norc", "-c", `: >"$RECORDED"; mkdir() { :; }\n${RECORDER}${script}`], {
      cwd: folder,
      env: { PATH: "/nowhere", RECORDED: recorded, HOME: folder },
      timeout: 60_000,
    });
    const lines = readFileSync(recorded, "utf8").split("\x1e").slice(0, -1);
    return lines.map((line) => line.split("\x1f").slice(0, -1));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns what bash finds wrong with a script; empty where nothing is. */
export function syntaxProblem(script: string): string {
  // A placeholder in angle brackets is two redirections.
  const placeholder = /<[A-Za-z][\w -]*>/.exec(script.replace(/"[^"]*"|'[^']*'|#.*/g, ""))?.[0];
  if (placeholder !== undefined) return `${placeholder} is no word for a shell`;
  return spawnSync("bash", ["-n"], { input: script, encoding: "utf8" }).stderr.trim();
}

/** The lines that begin with a prompt, and what continues them; the rest is what was answered. */
export function typedIn(session: string): string {
  let continues = false;
  const typed = session.split("\n").filter((line) => {
    const isTyped = continues || line.startsWith("$ ");
    continues = isTyped && line.endsWith("\\");
    return isTyped;
  });
  return typed.map((line) => line.replace(/^\$ /, "")).join("\n");
}

/** @returns the words after `bluegreen` or `npx bluegreen`; null for another program's command line. */
export function ownWords([program, ...words]: readonly string[]): string[] | null {
  if (program === "bluegreen") return words;
  if (program === "npx" && words[0] === "bluegreen") return words.slice(1);
  return null;
}

/** @returns what the command would say on stderr before it did anything; empty where it would begin. */
export async function complaintOf(words: readonly string[]): Promise<string> {
  let said = "";
  const program = silenced(buildProgram("0.0.0"), (text) => (said += text));
  try {
    await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    // --help and --version end it, and are no complaint.
    if ((error as { exitCode?: number }).exitCode !== 0) return said.trim() || (error as Error).message;
  }
  return said.trim();
}

/** All commands and their options, by the words that call them. */
export function optionsByCommand(): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, ReadonlySet<string>>();
  const visit = (command: Command, path: readonly string[]): void => {
    found.set(path.join(" "), new Set([...command.options.flatMap(({ long }) => long ?? []), "--help"]));
    for (const below of command.createHelp().visibleCommands(command)) {
      for (const name of [below.name(), ...below.aliases()]) visit(below, [...path, name]);
    }
  };
  visit(buildProgram("0.0.0"), []);
  return found;
}

function silenced(command: Command, hear: (text: string) => void): Command {
  command.configureOutput({ writeErr: hear, writeOut: () => undefined }).exitOverride();
  if (command.commands.length === 0) command.action(() => undefined);
  for (const below of command.commands) silenced(below, hear);
  return command;
}
