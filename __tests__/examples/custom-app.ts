/** Somebody's own CDKTF app, for the tests: a project folder, its stacks synthesized, real Terraform. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { App } from "cdktf";
import { follow, processesIn, succeed } from "../../development/testbed/processes";
import type { Ran } from "../../development/testbed/processes";

export const REPOSITORY = resolve(__dirname, "../..");

/** Like `describe`, where terraform and the built programs are there. */
export const describeApplied: jest.Describe = (() => {
  const built = existsSync(join(REPOSITORY, "lib/on-server/director.js"));
  if (built && spawnSync("terraform", ["version"]).status === 0) return describe;
  console.warn("there is no terraform, or lib/ is not built: NOTHING is applied here");
  return describe.skip;
})();

export class OwnApp {
  readonly folder = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-own-app-"));

  /** Synthesizes as an app does that is run in its project's folder. */
  synthesize(build: (app: App) => void): void {
    const before = process.cwd();
    process.chdir(this.folder);
    try {
      const app = new App({ outdir: "cdktf.out" });
      build(app);
      app.synth();
    } finally {
      process.chdir(before);
    }
  }

  async apply(stack: string): Promise<Ran> {
    return this.terraform(stack, "apply", "-auto-approve");
  }

  /** @throws Error with what Terraform said, where it failed. */
  async applied(stack: string): Promise<void> {
    const { exitCode, stdout, stderr } = await this.apply(stack);
    if (exitCode !== 0) throw new Error(`${stack}: ${stdout}${stderr}`);
  }

  /** @returns 0 where nothing would be changed, 2 where something would. */
  async planned(stack: string): Promise<number | null> {
    return (await this.terraform(stack, "plan", "-detailed-exitcode")).exitCode;
  }

  /** Ends what was started in the project's folder, and removes it. */
  remove(): void {
    for (const { pid } of processesIn(this.folder)) kill(pid);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async terraform(stack: string, command: string, ...args: string[]): Promise<Ran> {
    const cwd = join(this.folder, "cdktf.out/stacks", stack);
    if (!existsSync(join(cwd, ".terraform.lock.hcl"))) {
      await succeed(run("terraform", ["init", "-input=false", "-no-color"], cwd));
    }
    return run("terraform", [command, "-input=false", "-no-color", ...args], cwd);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Not `spawnSync`: the test's own servers answer meanwhile. */
function run(command: string, args: readonly string[], cwd: string): Promise<Ran> {
  return follow(spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] })).ended;
}

/** @returns the status and the release that a user met. */
export function ask(port: number): Promise<{ status: number; release: string | undefined }> {
  return new Promise((done, fail) => {
    get({ host: "127.0.0.1", port, path: "/", agent: false }, (response) => {
      response.resume();
      const release = response.headers["x-release-id"];
      response.on("end", () =>
        done({ status: response.statusCode!, release: release as string | undefined }),
      );
      response.on("error", fail);
    }).on("error", fail);
  });
}

/** The first of so many ports in a row that nobody listens on. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const first = 20_000 + Math.floor(Math.random() * 9_000);
    const free = await Promise.all(Array.from({ length: count }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return first;
  }
  throw new Error("there are no free ports");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => {
      const { port: own } = server.address() as AddressInfo;
      server.close(() => done(own === port));
    });
  });
}
