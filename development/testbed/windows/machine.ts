/**
 * A Windows server for tests: runs the real scripts under PowerShell over the model of Windows. What a script changes stays
 * (files, configuration of IIS, processes), so the next run finds it, also after a kill.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Activation } from "./activation";
import { AzureServices } from "./azure-services";
import { realPath } from "./configuration";
import { Shell } from "./shell";

export interface Refusal {
  readonly effect: string;
  readonly times: number;
  readonly message: string;
}

export interface Conditions {
  /** Kills the script at its n-th side effect. */
  readonly killAt?: number | undefined;
  /** Refuses side effects: those whose name contains `effect`, the first `times` ones. "denied" is about missing rights. */
  readonly refusals?: readonly Refusal[];
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

/** The drive C:, and what Windows knows beside its files. */
const FOLDERS = ["C", "state"];

export class WindowsMachine {
  private runs = 0;
  private shell: Shell | undefined;

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
    for (const folder of FOLDERS) mkdirSync(join(root, folder));
    writeFileSync(join(root, "trusted.pem"), azure.certificate);
    return machine;
  }

  /** Keeps what is on the machine now, for `restore`. */
  save(): void {
    for (const folder of FOLDERS)
      cpSync(join(this.root, folder), join(this.root, "saved", folder), { recursive: true });
  }

  /** The machine as it was when it was saved; nothing runs. */
  restore(): void {
    this.activation.stopAll();
    this.azure.reset();
    for (const folder of FOLDERS) {
      rmSync(join(this.root, folder), { recursive: true, force: true });
      cpSync(join(this.root, "saved", folder), join(this.root, folder), { recursive: true });
    }
  }

  async run(
    script: string,
    step: string,
    parameters: object,
    conditions: Conditions = {},
  ): Promise<ScriptRun> {
    const trace = join(this.root, `effects-${this.runs++}`);
    const { killAt, refusals = [], diskBytes, features } = conditions;
    const settings = {
      WINDOWS_TRACE: trace,
      WINDOWS_KILL_AT: String(killAt ?? ""),
      WINDOWS_REFUSALS: refusals
        .map(({ effect, times, message }) => `${effect}|${times}|${message}`)
        .join("\n"),
      WINDOWS_DISK_BYTES: String(diskBytes ?? ""),
      WINDOWS_FEATURES: features ?? "",
    };
    this.shell ??= new Shell({
      SSL_CERT_FILE: join(this.root, "trusted.pem"),
      WINDOWS_ROOT: this.root,
      WINDOWS_MODEL: this.model,
      WINDOWS_ACTIVATION_PORT: String(this.activation.port),
      WINDOWS_HTTPS_PORT: String(this.azure.httpsPort),
      WINDOWS_METADATA_PORT: String(this.azure.metadataPort),
    });
    const given = Buffer.from(JSON.stringify(parameters)).toString("base64");
    const { code, lines, stderr } = await this.shell.run({ script, step, parameters: given, settings });
    if (code === null) this.shell = undefined;
    const effects = existsSync(trace) ? readFileSync(trace, "utf8").trimEnd().split("\n") : [];
    return { code, lines, last: lines.at(-1) ?? "", stderr, effects };
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
    this.shell?.close();
    this.activation.close();
    this.azure.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}
