/** The machine of one of a world's proxies, as its operator sees it: it stalls, loses power, is restored from a backup. */
import { cpSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { processesIn, succeed, until } from "./processes";
import type { World } from "./world";

export class ProxyMachine {
  readonly name: string;
  private readonly folder: string;

  constructor(
    private readonly world: World,
    private readonly index: number,
  ) {
    this.name = `proxy-${index + 1}`;
    this.folder = world.path(`.bluegreen/local/servers/${this.name}`);
  }

  /** Everything on it stops, and nothing is closed: connections hang. */
  stall(): void {
    this.signal("SIGSTOP");
  }

  resume(): void {
    this.signal("SIGCONT");
  }

  async losePower(): Promise<void> {
    for (const pid of this.steps()) kill(pid);
    this.signal("SIGKILL");
    await until(() => this.pidsOf(/./).length === 0, `${this.name} is off`);
  }

  /** Starts the proxy as base does, with what is on its disk. */
  async start(): Promise<void> {
    const base = this.world.path(".bluegreen/local/cdktf.out/stacks/base");
    const { stdout } = await succeed(this.world.terraform(base, "state", "list"));
    const address = stdout.split("\n").find((line) => line.startsWith(`terraform_data.${this.name}_`));
    await succeed(
      this.world.terraform(base, "apply", "-input=false", "-auto-approve", `-replace=${address}`),
    );
  }

  /** @returns what restores the disk to this moment. */
  backUp(): () => void {
    const backup = this.world.path(`backups/${this.name}`);
    rmSync(backup, { recursive: true, force: true });
    // A socket can't be copied, and a restored machine has none.
    cpSync(this.folder, backup, {
      recursive: true,
      filter: (path) => !path.endsWith(".sock"),
      verbatimSymlinks: true,
    });
    return () => {
      rmSync(this.folder, { recursive: true });
      cpSync(backup, this.folder, { recursive: true, verbatimSymlinks: true });
    };
  }

  /** The status that a load balancer's probe gets; 0 without an answer. */
  health(): Promise<number> {
    return new Promise((resolve) => {
      const asked = get(
        `${this.world.origin(this.index)}/proxy-healthz`,
        { agent: false, timeout: 1_000 },
        (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
        },
      );
      asked.on("timeout", () => asked.destroy());
      asked.on("error", () => resolve(0));
    });
  }

  /** Its processes with a matching command line. */
  pidsOf(command: RegExp): number[] {
    return processesIn(this.folder).flatMap((each) => (command.test(each.command) ? [each.pid] : []));
  }

  /** Scripts of release steps that run on it. Their working folder is the project's. */
  private steps(): number[] {
    return processesIn(this.world.path(".")).flatMap(({ pid }) =>
      environmentOf(pid).includes(`SERVER_FOLDER=${this.folder}`) ? [pid] : [],
    );
  }

  private signal(signal: NodeJS.Signals): void {
    for (const pid of this.pidsOf(/./)) process.kill(pid, signal);
  }
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return []; // It ended meanwhile.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
