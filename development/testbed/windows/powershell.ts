/** PowerShell for the model of Windows: where it is, and the model's libraries, compiled for it. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const MANIFEST = "development/testbed/windows/dotnet-tools.json";

interface Manifest {
  readonly tools: { readonly powershell: { readonly version: string } };
}

/** The folder where NuGet keeps packages. */
export function nugetPackages(): string {
  return process.env["NUGET_PACKAGES"] ?? join(homedir(), ".nuget/packages");
}

/** The program itself, not `pwsh`: that one starts a child, which would outlive it. */
function program(): string {
  const { tools } = JSON.parse(readFileSync(join(__dirname, "dotnet-tools.json"), "utf8")) as Manifest;
  return join(nugetPackages(), "powershell", tools.powershell.version, "tools/net10.0/any/unix/pwsh.dll");
}

/** Why PowerShell cannot run here, with the line that installs it; undefined if it can. */
export function missingPowerShell(): string | undefined {
  if (existsSync(program())) return undefined;
  return `PowerShell is missing (with the .NET SDK 10: dotnet tool restore --tool-manifest ${MANIFEST})`;
}

/** The command line that runs a PowerShell script, without the script's arguments. */
export function powerShell(script: string): readonly [string, ...string[]] {
  return ["dotnet", program(), "-NoProfile", "-NonInteractive", "-File", join(__dirname, script)];
}

/** The command line that runs a line of PowerShell. */
export function powerShellCommand(line: string): readonly [string, readonly string[]] {
  return ["dotnet", [program(), "-NoProfile", "-NonInteractive", "-Command", line]];
}

/** @returns the folder with the libraries; the caller removes it. */
export function compileModel(): string {
  const folder = mkdtempSync(join(tmpdir(), "model-of-windows-"));
  const [dotnet, ...args] = powerShell("compile.ps1");
  execFileSync(dotnet, [...args, folder], { stdio: ["ignore", "ignore", "inherit"] });
  return folder;
}
