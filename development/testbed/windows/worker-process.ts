/** Starts the worker process of an application pool, and stops it as IIS does: it may end by itself, then it is killed. */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { realPath, folderOf, virtualDirectories, type SiteConfiguration } from "./configuration";

const PROGRAM = join(__dirname, "worker.mjs");
let started = 0;

export class WorkerProcess {
  readonly socket: string;
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;

  /** @param key what it serves: another key needs another process. */
  private constructor(
    root: string,
    site: SiteConfiguration,
    readonly key: string,
  ) {
    this.socket = join(root, `state/worker-${started++}`);
    const directories = virtualDirectories(site)
      .filter(({ path }) => path !== "/")
      .map(({ path, physicalPath }) => ({ path, folder: realPath(root, physicalPath) }));
    const args = [PROGRAM, realPath(root, folderOf(site)), this.socket, JSON.stringify(directories)];
    this.child = spawn(process.execPath, args, { stdio: "ignore" });
    this.ended = new Promise((resolve) => this.child.once("exit", () => resolve()));
  }

  static start(root: string, site: SiteConfiguration): WorkerProcess {
    return new WorkerProcess(root, site, WorkerProcess.key(site));
  }

  static key(site: SiteConfiguration): string {
    return JSON.stringify(virtualDirectories(site));
  }

  stop(limitSeconds: number): void {
    this.child.kill("SIGTERM");
    setTimeout(() => this.kill(), limitSeconds * 1000).unref();
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }
}
