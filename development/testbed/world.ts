/**
 * A project as users have it, for tests and for the fault matrix: a folder, free ports, the built command, real Terraform, a
 * real proxy, the sample application. The product never runs in the test's process.
 */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import * as z from "zod/mini";
import { packRelease } from "../../examples/socialgoal/pack";
import type { Deployment } from "../../cli/deployment/outcome";
import { ProxyStatus } from "../../release/director-status";
import { DEFAULT_ENVIRONMENT_FILE } from "../../configuration/environment-file";
import type { ReleaseRecord } from "../../release/record";
import { parseFile } from "../../release/validation";
import { freePortBase } from "./ports";
import { follow, processesIn, succeed, until } from "./processes";
import type { Ran, Running } from "./processes";

export const REPOSITORY = resolve(__dirname, "../..");
export const COMMAND = join(REPOSITORY, "lib/cli/main.js");
const STACKS = join(REPOSITORY, "lib/main.js");
/** What this machine lacks for such a project; undefined if nothing is missing. */
export function missing(): string | undefined {
  for (const [tool, argument] of [
    ["terraform", "version"],
    ["haproxy", "-v"],
  ] as const) {
    const PATH = `${process.env["PATH"]}:/usr/sbin`;
    if (spawnSync(tool, [argument], { env: { ...process.env, PATH } }).status !== 0)
      return `there is no ${tool}`;
  }
  return existsSync(COMMAND) ? undefined : "lib/ is not built";
}

export interface WorldProps {
  readonly topology?: "split" | "sideBySide";
  readonly proxies?: number;
  /** Changes of the environment file. */
  readonly environment?: Readonly<Record<string, unknown>>;
}

interface PlannedChange {
  readonly address: string;
  readonly deposed?: string;
  readonly change: { readonly actions: readonly string[] };
}

export interface SavedPlan {
  readonly resource_changes?: readonly PlannedChange[];
  readonly prior_state?: {
    readonly values?: {
      readonly root_module: { readonly resources?: readonly { address: string; deposed_key?: string }[] };
    };
  };
}

export class World {
  private constructor(
    /** The project's folder. */
    readonly folder: string,
    readonly portBase: number,
  ) {}

  static async create({
    topology = "sideBySide",
    proxies = 1,
    environment = {},
  }: WorldProps = {}): Promise<World> {
    const folder = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-e2e-"));
    const world = new World(folder, await freePortBase());
    world.write("cdktf.json", {
      language: "typescript",
      app: `node ${STACKS}`,
      projectId: "bluegreen-e2e",
      sendCrashReports: "false",
      terraformProviders: [],
      terraformModules: [],
    });
    world.write(DEFAULT_ENVIRONMENT_FILE, {
      formatVersion: 1,
      application: "socialgoal",
      name: "local",
      record: "release.json",
      platform: { kind: "local", portBase: world.portBase },
      topology,
      servers: { count: 2 },
      proxies: { driver: "haproxy", count: proxies },
      start: ["node", "server.js"],
      verification: { path: "/health", intervalSeconds: 0.05, deadlineSeconds: 6 },
      schedule: { strategy: "blueGreen", bakeSeconds: 0.3, drainSeconds: 2 },
      stopSeconds: 5,
      // Most tests do not check measurements, and there are hundreds of releases.
      measurement: { rate: 0 },
      ...environment,
    });
    world.write("release.json", {
      formatVersion: 1,
      application: "socialgoal",
      sequence: 0,
      active: "blue",
      goal: "live",
      slots: { blue: null, green: null },
      previous: null,
    });
    return world;
  }

  // --- files ---

  path(name: string): string {
    return join(this.folder, name);
  }

  read<T>(name: string): T {
    return JSON.parse(this.text(name)) as T;
  }

  text(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  write(name: string, content: unknown): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    const text = typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`;
    writeFileSync(this.path(name), text);
  }

  remove(name: string): void {
    rmSync(this.path(name), { force: true });
  }

  get record(): ReleaseRecord {
    return this.read("release.json");
  }

  set record(record: unknown) {
    this.write("release.json", record);
  }

  changeEnvironment(changes: Readonly<Record<string, unknown>>): void {
    this.write(DEFAULT_ENVIRONMENT_FILE, { ...this.read<object>(DEFAULT_ENVIRONMENT_FILE), ...changes });
  }

  // --- the command ---

  start(
    args: readonly string[],
    options: { env?: NodeJS.ProcessEnv; program?: string; folder?: string } = {},
  ): Running {
    const [program, ...before] =
      options.program === undefined ? [process.execPath, COMMAND] : [options.program];
    const child = spawn(program!, [...before, ...args], {
      cwd: options.folder ?? this.folder,
      env: { ...process.env, CHECKPOINT_DISABLE: "1", NO_COLOR: "1", FORCE_COLOR: undefined, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    return follow(child);
  }

  run(args: readonly string[], env: NodeJS.ProcessEnv = {}, folder = this.folder): Promise<Ran> {
    return this.start(args, { env, folder }).ended;
  }

  /** Packs the code of `from` as `version`. */
  async pack(version: string, from = version): Promise<{ file: string; sha256: string }> {
    const { platform } = this.read<{ platform: { database?: "postgres" | "mssql" } }>(
      DEFAULT_ENVIRONMENT_FILE,
    );
    return packRelease({ version, from, to: this.path("packages"), database: platform.database });
  }

  async startRelease(version: string, from?: string, ...options: string[]): Promise<Running> {
    const { file } = await this.pack(version, from);
    return this.start(["release", version, "--artifact", file, ...options]);
  }

  /** `bluegreen release --json`. */
  async release(version: string, from?: string, ...options: string[]): Promise<Deployment> {
    return deployed(await (await this.startRelease(version, from, "--json", ...options)).ended);
  }

  /** Releases an application of the test's own. @param files of its artifact, by name */
  releaseOf(
    version: string,
    files: Readonly<Record<string, unknown>>,
    ...options: readonly string[]
  ): Promise<Deployment> {
    for (const [name, content] of Object.entries(files)) this.write(`${version}/${name}`, content);
    return this.deploy("release", version, "--artifact", version, ...options);
  }

  async deploy(...args: string[]): Promise<Deployment> {
    return deployed(await this.run([...args, "--json"]));
  }

  async status(): Promise<ProxyStatus[]> {
    const { stdout, stderr } = await this.run(["status", "--json"]);
    if (stdout === "") throw new Error(stderr);
    return parseFile(z.object({ proxies: z.array(ProxyStatus) }), stdout, "what status prints").proxies;
  }

  cdktf(args: readonly string[]): Promise<Ran> {
    const program = join(REPOSITORY, "node_modules/.bin/cdktf");
    return this.start(args, { program, env: { CI: "true", DISABLE_VERSION_CHECK: "1" } }).ended;
  }

  // --- what users get ---

  origin(proxy = 0): string {
    return `http://127.0.0.1:${this.portBase + proxy}`;
  }

  /** The releases that give the proxy's next answers; "status 503" for an error. */
  async serving(proxy = 0, requests = 20): Promise<string[]> {
    const answers = await Promise.all(
      Array.from({ length: requests }, () => ask(`${this.origin(proxy)}/version`)),
    );
    return [...new Set(answers)].sort();
  }

  /** Whether a step was started on a server. */
  hasCommand(server: string, name: string): boolean {
    return existsSync(this.path(`.bluegreen/local/servers/${server}/commands/${name}`));
  }

  // --- Terraform ---

  /** The plan that the command saved, and applied. */
  async savedPlan(stack = "web"): Promise<SavedPlan> {
    return this.showPlan(this.path(`.bluegreen/local/cdktf.out/stacks/${stack}`), "bluegreen.tfplan");
  }

  /** Synthesizes as cdktf-cli does, and plans with Terraform; applies nothing. */
  async planByHand(stack = "web", stacks = STACKS): Promise<SavedPlan> {
    await succeed(this.synth(stacks));
    const folder = this.path(`cdktf.out/stacks/${stack}`);
    await succeed(this.terraform(folder, "init", "-input=false"));
    await succeed(this.terraform(folder, "plan", "-input=false", "-out=by-hand.tfplan"));
    return this.showPlan(folder, "by-hand.tfplan");
  }

  /** What a pipeline without the command does: synth, then `terraform apply`. */
  async applyByHand(): Promise<Ran> {
    await succeed(this.synth());
    const folder = this.path("cdktf.out/stacks/web");
    await succeed(this.terraform(folder, "init", "-input=false"));
    return this.terraform(folder, "apply", "-input=false", "-auto-approve", "-no-color");
  }

  /** Runs the project's app, as cdktf-cli does. */
  synth(stacks = STACKS): Promise<Ran> {
    const env = { CDKTF_OUTDIR: this.path("cdktf.out") };
    return this.start([stacks], { program: process.execPath, env }).ended;
  }

  terraform(folder: string, ...args: string[]): Promise<Ran> {
    return this.start([`-chdir=${folder}`, ...args], { program: "terraform" }).ended;
  }

  /** Replaces a machine in base: its processes end, its disk is new. */
  async replaceServer(name: string): Promise<void> {
    const folder = this.path(".bluegreen/local/cdktf.out/stacks/base");
    const { stdout } = await succeed(this.terraform(folder, "state", "list"));
    const address = stdout.split("\n").find((line) => line.startsWith(`terraform_data.${name}_`));
    await succeed(this.terraform(folder, "apply", "-input=false", "-auto-approve", `-replace=${address}`));
  }

  webState(): { resources: { name: string; instances: { deposed?: string; status?: string }[] }[] } {
    return this.read(".bluegreen/local/terraform.web.tfstate");
  }

  deposed(): string[] {
    return this.webState().resources.flatMap(({ name, instances }) =>
      instances.flatMap(({ deposed }) => (deposed === undefined ? [] : [`${name} (${deposed})`])),
    );
  }

  private async showPlan(folder: string, file: string): Promise<SavedPlan> {
    const { stdout } = await succeed(this.terraform(folder, "show", "-json", file));
    return JSON.parse(stdout) as SavedPlan;
  }

  // --- the end ---

  /** Processes in the project, each with its command line. */
  processes() {
    return processesIn(this.folder);
  }

  /** The pids of processes with a matching command line. */
  pids(pattern: RegExp): number[] {
    return this.processes().flatMap(({ pid, command }) => (pattern.test(command) ? [pid] : []));
  }

  /** Takes everything down as a user does. @returns processes that still run; there should be none. */
  async end(): Promise<string[]> {
    const down = await this.run(["down"]);
    await until(() => this.processes().length === 0, "no process is left", { patienceMs: 3_000 }).catch(
      () => undefined,
    );
    const left = this.processes();
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    return [
      ...(down.exitCode === 0 ? [] : [`down ended with exit code ${down.exitCode}: ${down.stderr}`]),
      ...left.map(({ pid, command }) => `${pid} ${command}`),
    ];
  }
}

/** A copy of the built library, which a test may change like a newer version. @returns its synth entry. */
export function copyOfLibrary(folder: string): string {
  cpSync(join(REPOSITORY, "lib"), join(folder, "lib"), { recursive: true });
  symlinkSync(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
  return join(folder, "lib/main.js");
}

/** A plan's changes, by address; empty for no changes. */
export function changes({ resource_changes = [] }: SavedPlan): Record<string, string> {
  return Object.fromEntries(
    resource_changes
      .filter(({ change }) => change.actions.join() !== "no-op")
      .map(({ address, change, deposed }) => [
        deposed === undefined ? address : `${address} deposed`,
        change.actions.join("+"),
      ]),
  );
}

function deployed({ stdout, stderr, exitCode }: Ran): Deployment {
  if (!stdout.startsWith("{")) throw new Error(`exit code ${exitCode}: ${stderr}${stdout}`);
  const deployment = JSON.parse(stdout) as Deployment;
  if (deployment.exitCode !== exitCode) throw new Error(`exit code ${exitCode}, but the JSON says ${stdout}`);
  return deployment;
}

export function ask(address: string): Promise<string> {
  return new Promise((resolve) => {
    const asked = get(address, { agent: false, timeout: 5_000 }, (response) => {
      response.resume();
      const release = response.headers["x-release-id"];
      response.on("end", () =>
        resolve(
          response.statusCode === 200 && typeof release === "string"
            ? release
            : `status ${response.statusCode}`,
        ),
      );
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer")));
    asked.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
