/** Asks PowerShell's own parser, and .NET Framework 4.8's reference assemblies, about the names in a script (names.ps1). */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { missingPowerShell, nugetPackages, powerShell } from "./powershell";

const PROJECT = "development/testbed/windows/net48/net48.csproj";

function references(): string {
  const project = readFileSync(join(__dirname, "net48/net48.csproj"), "utf8");
  const [, name, version] = /Include="([^"]+)" Version="\[([^\]]+)\]"/.exec(project)!;
  return join(nugetPackages(), name!.toLowerCase(), version!, "build/.NETFramework/v4.8");
}

/** Why names cannot be looked up here, with the line that installs what is missing; undefined if they can. */
export function missingReferences(): string | undefined {
  if (existsSync(references())) return missingPowerShell();
  return `.NET Framework's reference assemblies are missing (with the .NET SDK 10: dotnet restore ${PROJECT})`;
}

/** The cmdlets that a script may call, with those of their parameters that it may name. */
export type Cmdlets = Readonly<Record<string, readonly string[]>>;

export class NameReader {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly answers: AsyncIterator<string>;

  constructor(private readonly cmdlets: Cmdlets) {
    const [dotnet, ...args] = powerShell("names.ps1");
    this.child = spawn(dotnet, [...args, references()]);
    this.child.stderr.pipe(process.stderr);
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** @returns what 5.1 or .NET Framework 4.8 does not know, with its line; empty if it knows all. */
  async complaints(text: string): Promise<readonly string[]> {
    this.child.stdin.write(`${JSON.stringify({ text, cmdlets: this.cmdlets })}\n`);
    const answer = await this.answers.next();
    if (answer.done === true) throw new Error("names.ps1 has ended");
    return JSON.parse(answer.value) as string[];
  }

  close(): void {
    this.child.kill("SIGKILL");
  }
}
