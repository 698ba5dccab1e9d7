/**
 * Azure for tests: the real provider against the stand-in of Azure Resource Manager that lies beside the repository.
 * Machines are folders, run commands are real bash processes, the network is the loopback network.
 */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { packRelease } from "../../examples/socialgoal/pack";
import type { Deployment } from "../../cli/deployment/outcome";
import type { ReleaseRecord } from "../../release/record";
import { StandInProvider } from "../../development/testbed/azurerm/provider";
import { ResourceManager } from "../../development/testbed/azurerm/resource-manager";
import { providerIsMissing } from "../terraform/provider";
import { ask, REPOSITORY, until } from "./world";
import { follow } from "../../development/testbed/processes";

const STAND_IN = join(REPOSITORY, "../shared/tools/armsim.py");
const COMMAND = join(REPOSITORY, "lib/cli/main.js");
const STACKS = join(REPOSITORY, "lib/main.js");
const ENVIRONMENT_FILE = "environments/sim.json";
/** Anything that looks like a password and must not be found afterwards. */
const PLANTED_SECRET = "Planted-Secret-4711!";

/** Like `describe`, where the provider, the stand-in and the right to open port 80 are there. */
export const describeOnAzure: (title: string, tests: () => void) => void = (title, tests) => {
  const lacking = missing();
  if (lacking === undefined) return describe(title, tests);
  console.warn(`skipped, ${lacking}: ${title}`);
  describe.skip(title, tests);
};

function missing(): string | undefined {
  if (!existsSync(STAND_IN)) return "the stand-in of Azure is not beside the repository";
  if (spawnSync("python3", ["--version"]).status !== 0) return "there is no python3";
  if (process.getuid?.() !== 0) return "only root can open port 80 for the proxies";
  return undefined;
}

interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A request that changed something, as the stand-in logs it. */
export interface Request {
  readonly method: string;
  /** As in `virtualMachines/vm-x/runCommands/begin-1`, without what all have in common. */
  readonly path: string;
}

export class AzureWorld {
  private readonly standIn: ChildProcess;
  private readonly artifacts = createServer((request, response) => {
    const file = join(this.folder, "packages", basename(request.url ?? ""));
    if (existsSync(file)) response.end(readFileSync(file));
    else response.writeHead(404).end();
  });
  private readonly env: NodeJS.ProcessEnv;
  /** Undefined where Terraform finds the real one. */
  private provider: StandInProvider | undefined;

  private constructor(
    readonly folder: string,
    private readonly network: string,
    private readonly port: number,
  ) {
    const state = join(folder, "azure");
    this.standIn = spawn("python3", [STAND_IN, "--exec", "--async", "--port", String(port), "--dir", state], {
      stdio: "ignore",
      detached: true,
    });
    this.env = {
      ...process.env,
      SSL_CERT_FILE: join(state, "cert.pem"),
      SSL_CERT_DIR: undefined,
      ARM_METADATA_HOSTNAME: `localhost:${port}`,
      ARM_CLIENT_ID: "sim",
      ARM_CLIENT_SECRET: PLANTED_SECRET,
      ARM_TENANT_ID: "00000000-0000-0000-0000-000000000001",
      ARM_SUBSCRIPTION_ID: "00000000-0000-0000-0000-000000000000",
      TF_VAR_sql_administrator_password: PLANTED_SECRET,
      BLUEGREEN_ENVIRONMENT: ENVIRONMENT_FILE,
      CHECKPOINT_DISABLE: "1",
      NO_COLOR: "1",
      FORCE_COLOR: undefined,
    };
  }

  /** @param environment what differs from a small environment with two Linux servers, split. */
  static async create(environment: object = {}, version = "4.55.0"): Promise<AzureWorld> {
    const folder = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-azure-"));
    const network = `127.${100 + Math.floor(Math.random() * 100)}`;
    const world = new AzureWorld(folder, network, 20_000 + Math.floor(Math.random() * 8_000));
    await new Promise<void>((listening) => world.artifacts.listen(0, "127.0.0.1", listening));
    world.write(ENVIRONMENT_FILE, {
      formatVersion: 1,
      application: "socialgoal",
      name: "sim",
      record: "release.json",
      platform: {
        kind: "azure",
        subscriptionId: "00000000-0000-0000-0000-000000000000",
        tenantId: "00000000-0000-0000-0000-000000000001",
        location: "westeurope",
        addressSpace: `${network}.0.0/16`,
        bastion: "none",
        protect: false,
        sshPublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDn1nXS8Z8h1nV1pX0k6Jm3gk8g1ZbO1n0bWm1xq3i5K",
        webServers: { os: "linux", packages: ["nodejs"] },
        database: {
          authentication: "sql",
          administrators: { group: "people", objectId: "00000000-0000-0000-0000-000000000002" },
        },
      },
      topology: "split",
      servers: { count: 2 },
      proxies: { count: 1 },
      start: ["node", "server.js"],
      verification: { path: "/health", intervalSeconds: 0.1, deadlineSeconds: 6 },
      schedule: { strategy: "blueGreen", bakeSeconds: 0.5, drainSeconds: 2 },
      stopSeconds: 3,
      ...environment,
    });
    const certificate = join(folder, "azure/cert.pem");
    await until(() => existsSync(certificate), "the stand-in of Azure is up");
    if (providerIsMissing() !== undefined) {
      world.provider = await StandInProvider.start(version, world.port, certificate);
      // What the machine's own configuration says of providers does not matter then.
      Object.assign(world.env, { ...world.provider.env, TF_CLI_CONFIG_FILE: undefined });
    }
    return world;
  }

  get origin(): string {
    return `http://${this.network}.2.11`;
  }

  get record(): ReleaseRecord {
    return JSON.parse(readFileSync(join(this.folder, "release.json"), "utf8")) as ReleaseRecord;
  }

  write(name: string, content: unknown): void {
    mkdirSync(join(this.folder, "environments"), { recursive: true });
    writeFileSync(join(this.folder, name), JSON.stringify(content, null, 2));
  }

  changePlatform(changes: object): void {
    const environment = JSON.parse(readFileSync(join(this.folder, ENVIRONMENT_FILE), "utf8")) as {
      platform: object;
    };
    this.write(ENVIRONMENT_FILE, { ...environment, platform: { ...environment.platform, ...changes } });
  }

  // --- the command ---

  run(program: string, ...args: string[]): Promise<Ran> {
    const stdio = ["ignore", "pipe", "pipe"] as const;
    return follow(spawn(program, args, { cwd: this.folder, env: this.env, stdio: [...stdio] })).ended;
  }

  readonly command = [process.execPath, COMMAND] as const;

  bluegreen(...args: string[]): Promise<Ran> {
    return this.run(...this.command, ...args, "--environment", ENVIRONMENT_FILE);
  }

  async deploy(...args: string[]): Promise<Deployment> {
    const { stdout, stderr } = await this.bluegreen(...args, "--json");
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as Deployment;
  }

  /** @param code the release of the sample application that is published as this version. */
  async release(version: string, code: string, action: "release" | "stage" = "release"): Promise<Deployment> {
    return this.deploy(action, ...(await this.publish(version, code)));
  }

  /** @returns how to kill it and what it started, as the end of a pipeline's machine would. */
  async releasing(version: string, code: string): Promise<() => void> {
    const args = ["release", ...(await this.publish(version, code)), "--environment", ENVIRONMENT_FILE];
    const options = { cwd: this.folder, env: this.env, stdio: "ignore", detached: true } as const;
    const { pid } = spawn(this.command[0], [this.command[1], ...args], options);
    return () => {
      // Terraform has a process group of its own.
      for (const each of [...processesBelow(pid!), pid!]) process.kill(each, "SIGKILL");
    };
  }

  private async publish(version: string, code: string): Promise<string[]> {
    const { file, sha256 } = await packRelease({ version, from: code, to: join(this.folder, "packages") });
    const { port } = this.artifacts.address() as AddressInfo;
    return [version, "--artifact", `http://127.0.0.1:${port}/${basename(file)}`, "--sha256", sha256];
  }

  // --- what others do in Azure ---

  /** Deleted in the portal. */
  async deleteRunCommands(machine: string, names: RegExp): Promise<void> {
    const found = this.commandsIn("web").filter(
      (id) => id.includes(`-${machine}/runCommands/`) && names.test(basename(id)),
    );
    expect(found).not.toEqual([]);
    for (const id of found) expect((await this.azure.send("DELETE", id)).status).toBe(200);
  }

  /** The ids of run commands that Azure has, and no state. */
  async unknownRunCommands(): Promise<string[]> {
    const known = [...this.commandsIn("base"), ...this.commandsIn("web")];
    const machines = new Set(known.map((id) => id.replace(/\/runCommands\/.*$/, "")));
    const lists = await Promise.all(
      [...machines].map((machine) => this.azure.send("GET", `${machine}/runCommands`)),
    );
    return lists
      .flatMap(({ body }) => (body as { value: { id: string }[] }).value.map(({ id }) => id))
      .filter((id) => !known.includes(id));
  }

  private commandsIn(stack: "base" | "web"): string[] {
    const state = readFileSync(join(this.folder, `.bluegreen/sim/terraform.${stack}.tfstate`), "utf8");
    const ids = state.match(/"\/subscriptions\/[^"]*\/runCommands\/[^"]+"/g) ?? [];
    return ids.map((id) => JSON.parse(id) as string);
  }

  private get azure(): ResourceManager {
    return new ResourceManager(this.port, join(this.folder, "azure/cert.pem"));
  }

  /** @param path a regular expression. */
  refuseOnce(method: string, path: string): void {
    const fault = { id: path, method, path, times: 1, status: 409 };
    writeFileSync(join(this.folder, "azure/faults.json"), JSON.stringify([fault]));
  }

  // --- Terraform by hand, as cdktf runs it ---

  async terraform(stack: "base" | "web", ...args: string[]): Promise<Ran> {
    const synthesized = await this.run(process.execPath, STACKS);
    if (synthesized.exitCode !== 0) throw new Error(synthesized.stderr);
    const folder = `-chdir=cdktf.out/stacks/${stack}`;
    const init = await this.run("terraform", folder, "init", "-input=false", "-no-color");
    if (init.exitCode !== 0) throw new Error(init.stderr);
    return this.run("terraform", folder, args[0]!, "-input=false", "-no-color", ...args.slice(1));
  }

  async apply(stack: "base" | "web", ...args: string[]): Promise<Ran> {
    return this.terraform(stack, "apply", "-auto-approve", ...args);
  }

  /** What another apply would change: nothing, or the plan's words. */
  async plan(stack: "base" | "web"): Promise<string> {
    const { exitCode, stdout, stderr } = await this.terraform(stack, "plan", "-detailed-exitcode");
    return exitCode === 0 ? "nothing" : stdout + stderr;
  }

  /** The address of a server's virtual machine in base. */
  machineAddress(server: string): string {
    const state = readFileSync(join(this.folder, ".bluegreen/sim/terraform.base.tfstate"), "utf8");
    const type = "azurerm_linux_virtual_machine";
    const { resources } = JSON.parse(state) as { resources: { type: string; name: string }[] };
    const machine = resources.find((each) => each.type === type && each.name.startsWith(`${server}_`));
    return `${type}.${machine!.name}`;
  }

  // --- what came of it ---

  serving(): Promise<string> {
    return ask(`${this.origin}/version`);
  }

  requests(): Request[] {
    return readFileSync(join(this.folder, "azure/requests.jsonl"), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { m: string; path: string })
      .filter(({ path }) => !path.includes("/oauth2/")) // logging in changes nothing
      .map(({ m, path }) => ({ method: m, path: path.replace(/^.*\/providers\/Microsoft\.Compute\//, "") }));
  }

  /** The requests that this brought. */
  async requestsOf(action: () => Promise<unknown>): Promise<Request[]> {
    const before = this.requests().length;
    await action();
    return this.requests().slice(before);
  }

  /** The machine and everything on it is gone, as after a lost disk. */
  lose(server: string): void {
    const machine = join(this.folder, "azure/vm", `vm-socialgoal-sim-${server}`);
    killProcessesIn(machine);
    rmSync(machine, { recursive: true, force: true });
  }

  /** Files that hold a planted secret: state, plans, output of the synth, logs of the machines. */
  filesWithSecret(): string[] {
    return (
      readdirSync(this.folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        // What was sent to Azure is in there, and belongs there.
        .filter((file) => !file.endsWith("azure/requests.jsonl") && !file.includes("/.terraform/"))
        .filter((file) => readFileSync(file).includes(PLANTED_SECRET))
    );
  }

  end(): void {
    this.artifacts.close();
    this.provider?.end();
    this.standIn.kill("SIGKILL");
    killProcessesIn(this.folder);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function processesBelow(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .filter(Boolean)
    .map(Number);
  return children.flatMap((child) => [...processesBelow(child), child]);
}

function killProcessesIn(folder: string): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const cwd = readlinkSync(`/proc/${pid}/cwd`);
      if (cwd.startsWith(`${folder}/`)) process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  }
}
