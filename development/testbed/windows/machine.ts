/**
 * A Windows server for tests: runs the real scripts under PowerShell over the model of Windows. What a script changes stays
 * (files, configuration of IIS, processes), so the next run finds it, also after a kill.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { follow } from "../processes";
import { Activation } from "./activation";
import { AzureServices } from "./azure-services";
import { realPath } from "./configuration";
import { powerShell } from "./powershell";

export interface Conditions {
  /** Kills the script at its n-th side effect. */
  readonly killAt?: number | undefined;
  /** Refuses side effects: those whose name contains `effect`, the first `times` ones. "denied" is about missing rights. */
  readonly refusal?: { readonly effect: string; readonly times: number; readonly message: string };
  /** The capacity of drive C:. */
  readonly diskBytes?: number;
  readonly features?: "fail" | "restart";
}

export interface ScriptRun {
  /** null: killed */
  readonly code: number | null;
  readonly lines: readonly string[];
  /** The last line. */
  readonly last: string;
  readonly stderr: string;
  /** The names of its side effects, in order. */
  readonly effects: readonly string[];
}

export class WindowsMachine {
  private runs = 0;

  private constructor(
    private readonly model: string,
    readonly azure: AzureServices,
    private readonly activation: Activation,
    readonly root: string,
  ) {}

  /** @param model the folder of `compileModel`. */
  static async start(model: string): Promise<WindowsMachine> {
    const azure = await AzureServices.start();
    const root = mkdtempSync(join(tmpdir(), "windows-"));
    const machine = new WindowsMachine(model, azure, await Activation.start(root), root);
    mkdirSync(join(root, "C"));
    mkdirSync(join(root, "state"));
    writeFileSync(join(root, "trusted.pem"), azure.certificate);
    return machine;
  }

  async run(
    script: string,
    step: string,
    parameters: object,
    conditions: Conditions = {},
  ): Promise<ScriptRun> {
    const trace = join(this.root, `effects-${this.runs++}`);
    const { killAt, refusal, diskBytes, features } = conditions;
    const [dotnet, ...args] = powerShell("run.ps1");
    const given = Buffer.from(JSON.stringify(parameters)).toString("base64");
    const { PATH, HOME, TMPDIR, NUGET_PACKAGES, DOTNET_ROOT } = process.env;
    const child = spawn(dotnet, [...args, script, step, given], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...{ PATH, HOME, TMPDIR, NUGET_PACKAGES, DOTNET_ROOT },
        SSL_CERT_FILE: join(this.root, "trusted.pem"),
        WINDOWS_ROOT: this.root,
        WINDOWS_MODEL: this.model,
        WINDOWS_TRACE: trace,
        WINDOWS_ACTIVATION_PORT: String(this.activation.port),
        WINDOWS_HTTPS_PORT: String(this.azure.httpsPort),
        WINDOWS_METADATA_PORT: String(this.azure.metadataPort),
        WINDOWS_KILL_AT: String(killAt ?? ""),
        WINDOWS_REFUSAL: refusal === undefined ? "" : `${refusal.effect}|${refusal.times}|${refusal.message}`,
        WINDOWS_DISK_BYTES: String(diskBytes ?? ""),
        WINDOWS_FEATURES: features ?? "",
      },
    });
    const { exitCode, stdout, stderr } = await follow(child).ended;
    const lines = stdout.trimEnd().split("\n");
    const effects = existsSync(trace) ? readFileSync(trace, "utf8").trimEnd().split("\n") : [];
    return { code: exitCode, lines, last: lines.at(-1)!, stderr, effects };
  }

  /** Where a path of Windows is on this machine. */
  path(path: string): string {
    return realPath(this.root, path);
  }

  /** What the model keeps about a subject: access, accounts, firewall, iis. */
  state(subject: string): Record<string, unknown> {
    const file = join(this.root, "state", `${subject}.json`);
    return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>) : {};
  }

  close(): void {
    this.activation.close();
    this.azure.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}
