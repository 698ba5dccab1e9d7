/** A Linux machine of Azure's for the tests: a folder, in which the text of a run command is run for real. */
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { follow } from "../../../development/testbed/processes";

/** As they were built: a script of several files goes to a machine as one. */
const SCRIPTS = path.resolve(__dirname, "../../../lib/on-server/azure");
const DIRECTOR = path.resolve(__dirname, "../../../lib/on-server/azure/director.js");
export const FOLDER = "/var/lib/bluegreen";
export const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`;
export const haproxyIsHere = spawnSync("haproxy", ["-v"], { env: { PATH } }).status === 0;
if (!haproxyIsHere) console.warn("haproxy is not installed: the set-up of a proxy is NOT tested here");

export type Parameters = Readonly<Record<string, string>>;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function script(name: string): string {
  return fs.readFileSync(path.join(SCRIPTS, name), "utf8");
}

export const scriptNames = (): string[] =>
  fs
    .readdirSync(SCRIPTS)
    .filter((name) => name.endsWith(".sh"))
    .sort();

/** What synth makes of a step, by Terraform's functions. */
export function compose(text: string, files: Readonly<Record<string, string | Buffer>> = {}): string {
  const blocks = Object.entries(files).map(
    ([name, content]) =>
      `receive_file '${name}' <<'BLUEGREEN_FILE'\n${gzipSync(content).toString("base64")}\nBLUEGREEN_FILE\n`,
  );
  return [
    script("run-command.head.sh"),
    ...blocks,
    "receive_script <<'BLUEGREEN_SCRIPT'\n",
    text,
    "BLUEGREEN_SCRIPT\n",
    script("run-command.tail.sh"),
  ].join("");
}

export class Machine {
  readonly root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "machine-")));
  private step = 0;

  start(
    text: string,
    parameters: Parameters = {},
  ): { readonly pid: number; readonly name: string; readonly done: Promise<Ended> } {
    const name = `step-${(this.step += 1)}`;
    const env = {
      PATH,
      SIM_VM_ROOT: this.root,
      SERVER_NAME: "proxy-1",
      SERVER_FOLDER: FOLDER,
      STEP_NAME: name,
      ...parameters,
    };
    const child = spawn("bash", ["-c", text], { env, cwd: this.root, stdio: ["ignore", "pipe", "pipe"] });
    // It waits for the pipes' ends: what was left running with one would be noticed.
    const { pid, ended } = follow(child);
    return {
      pid,
      name,
      done: ended.then(({ exitCode: code, stdout, stderr }) => ({ code, stdout, stderr })),
    };
  }

  async run(text: string, parameters: Parameters = {}): Promise<Ended> {
    return this.start(text, parameters).done;
  }

  setUpWebServer(parameters: Parameters = {}): Promise<Ended> {
    const files = { "install-packages.sh": script("install-packages.sh") };
    return this.run(compose(script("setup-web-server.sh"), files), parameters);
  }

  setUpProxy(spec: object, parameters: Parameters = {}): Promise<Ended> {
    return this.run(setUpProxyText(), {
      DIRECTOR_SPEC: Buffer.from(JSON.stringify(spec)).toString("base64"),
      ...parameters,
    });
  }

  /** A file below the server's folder. */
  path(...parts: string[]): string {
    return path.join(this.root, FOLDER, ...parts);
  }

  read(...parts: string[]): string {
    return fs.readFileSync(this.path(...parts), "utf8");
  }

  has(...parts: string[]): boolean {
    return fs.existsSync(this.path(...parts));
  }

  /** Everything that works in the machine's folder. */
  processes(command?: string): number[] {
    return fs
      .readdirSync("/proc")
      .filter((name) => /^[0-9]+$/.test(name))
      .filter((pid) => {
        try {
          const cwd = fs.readlinkSync(`/proc/${pid}/cwd`);
          const name = fs.readFileSync(`/proc/${pid}/comm`, "utf8").trim();
          return cwd.startsWith(this.root) && (command === undefined || name === command);
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  async close(): Promise<void> {
    const end = Date.now() + 60_000;
    while (this.processes().length > 0 && Date.now() < end) {
      for (const pid of this.processes()) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // it ended by itself
        }
      }
      await sleep(10);
    }
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

export function setUpProxyText(): string {
  const names = ["install-packages.sh", "proxy-process.sh", "proxy-arrival.sh", "fetch-certificate.sh"];
  return compose(script("setup-proxy.sh"), {
    "director.js": fs.readFileSync(DIRECTOR),
    ...Object.fromEntries(names.map((name) => [name, script(name)])),
  });
}

export function eachTestHasAMachine(): () => Machine {
  let machine: Machine | undefined;
  beforeEach(() => void (machine = new Machine()));
  afterEach(() => machine?.close());
  return () => machine!;
}
