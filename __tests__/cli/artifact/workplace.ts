/** A project's folder for the tests of artifacts: environment files, an application's files, the built command. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { openProject } from "../../../cli/project/project";
import type { Project } from "../../../cli/project/project";
import { SILENT } from "../../../cli/terminal/progress";
import type { Progress } from "../../../cli/terminal/progress";
import { follow } from "../../../development/testbed/processes";
import type { Ran } from "../../../development/testbed/processes";

const REPOSITORY = resolve(__dirname, "../../..");
const COMMAND = join(REPOSITORY, "lib/cli/main.js");
export const LOCAL = "environments/local.json";
export const AZURE = "environments/azure-linux.json";

export class Workplace {
  readonly folder = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-artifact-"));

  constructor() {
    for (const file of [LOCAL, AZURE]) this.write(file, readFileSync(join(REPOSITORY, file)));
    mkdirSync(this.path("no-programs"));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Uint8Array): string {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  /** What is kept below the environment's own folder; scratch files too. */
  kept(environment: "local" | "linux" = "local"): string[] {
    const folder = this.path(`.bluegreen/${environment}/artifacts`);
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }

  project(environment = LOCAL): Project {
    return openProject(this.folder, environment);
  }

  changeEnvironment(file: string, change: (environment: { platform: object }) => object): void {
    const environment = JSON.parse(this.read(file).toString()) as { platform: object };
    this.write(file, JSON.stringify(change(environment)));
  }

  /** Nobody is logged in: no variable, no `az`, no machine that has an identity. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return spawn(process.execPath, [COMMAND, ...args], {
      cwd: this.folder,
      env: {
        PATH: this.path("no-programs"),
        HOME: this.folder,
        NO_COLOR: "1",
        AZURE_TOKEN_CREDENTIALS: "dev",
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    return follow(this.start(args, env)).ended;
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Hears the notes. */
export function listening(): { progress: Progress; notes: string[] } {
  const notes: string[] = [];
  return { progress: { ...SILENT, note: (text) => notes.push(text) }, notes };
}
