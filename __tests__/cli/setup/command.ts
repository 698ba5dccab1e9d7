/** The built command in a folder of its own, as a process. */
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { atTerminal } from "../at-terminal";
import type { Answers } from "../at-terminal";
import { follow } from "../../../development/testbed/processes";
import type { Ran } from "../../../development/testbed/processes";

const REPOSITORY = resolve(__dirname, "../../..");
export const COMMAND = join(REPOSITORY, "lib/cli/main.js");
export const STACKS = join(REPOSITORY, "lib/main.js");

export class Folder {
  readonly path = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-setup-"));

  in(name: string): string {
    return join(this.path, name);
  }

  has(name: string): boolean {
    return existsSync(this.in(name));
  }

  text(name: string): string {
    return readFileSync(this.in(name), "utf8");
  }

  json<T>(name: string): T {
    return JSON.parse(this.text(name)) as T;
  }

  write(name: string, content: unknown): void {
    mkdirSync(dirname(this.in(name)), { recursive: true });
    writeFileSync(this.in(name), typeof content === "string" ? content : JSON.stringify(content));
  }

  bluegreen(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    return this.run(process.execPath, [COMMAND, ...args], env);
  }

  run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    const child = spawn(program, args, {
      cwd: this.path,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, CHECKPOINT_DISABLE: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return follow(child).ended;
  }

  /** @returns all that was on the screen. */
  async terminal(line: string, answers: Answers): Promise<string> {
    return (await atTerminal(line, answers, this.path)).screen;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
