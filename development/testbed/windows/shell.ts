/**
 * One process of PowerShell over the model of Windows, which runs one script after another: its start takes longer than a
 * run. Each run has its own variables, functions and settings. A run that is killed ends the process.
 */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { powerShell } from "./powershell";

export interface ShellRun {
  readonly script: string;
  readonly step: string;
  /** The text of the parameter `Parameters`. */
  readonly parameters: string;
  readonly settings: Readonly<Record<string, string>>;
}

export interface ShellResult {
  /** null: killed */
  readonly code: number | null;
  readonly lines: readonly string[];
  /** What the script's host says, as an error that nothing has caught. */
  readonly stderr: string;
}

export class Shell {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly answers: AsyncIterator<string>;
  private stderr = "";

  constructor(settings: Readonly<Record<string, string>>) {
    const [dotnet, ...args] = powerShell("run.ps1");
    const { PATH, HOME, TMPDIR, NUGET_PACKAGES, DOTNET_ROOT } = process.env;
    const env = { PATH, HOME, TMPDIR, NUGET_PACKAGES, DOTNET_ROOT, ...settings };
    this.child = spawn(dotnet, args, { env });
    this.child.stdin.on("error", () => undefined); // a killed process
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async run(run: ShellRun): Promise<ShellResult> {
    this.child.stdin.write(`${JSON.stringify(run)}\n`);
    const answer = await this.answers.next();
    if (answer.done === true) return { code: null, lines: [], stderr: this.stderr };
    const { code, lines, failure } = JSON.parse(answer.value) as {
      readonly code: number;
      readonly lines: readonly string[];
      readonly failure: string;
    };
    return { code, lines, stderr: this.stderr + failure };
  }

  close(): void {
    this.child.kill("SIGKILL");
  }
}
