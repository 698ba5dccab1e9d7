/** A proxy of the local platform in a project of its own, started and ended by the scripts that Terraform runs. */
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { encodeSpec } from "../../../configuration/director-spec";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { freePort } from "../../../development/testbed/ports";
import { follow, succeed } from "../../../development/testbed/processes";
import { env } from "../director/proxy-kinds";

const PROGRAMS = resolve("lib/on-server");
const SERVER_FOLDER = "proxy-1";
export const HOST = "127.0.0.1";

export class LocalProxy {
  private constructor(
    private readonly project: string,
    readonly port: number,
  ) {}

  static async create(): Promise<LocalProxy> {
    const project = mkdtempSync(join(realpathSync(tmpdir()), "bluegreen-local-proxy-"));
    const proxy = new LocalProxy(project, await freePort());
    mkdirSync(proxy.folder);
    copyFileSync(join(PROGRAMS, "director.js"), proxy.file("director.js"));
    return proxy;
  }

  get folder(): string {
    return join(this.project, SERVER_FOLDER);
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** @param spec with this proxy's port. */
  async start(spec: DirectorSpec, more: Record<string, string> = {}): Promise<void> {
    await this.run("start-proxy.sh", {
      DIRECTOR_SPEC: encodeSpec(spec),
      PROXY_DRIVER: spec.proxy.driver,
      PROXY_ADDRESS: `${HOST}:${this.port}`,
      PROXY_BUNDLE: join(PROGRAMS, "embedded-proxy.js"),
      ...more,
    });
  }

  /** Leaves the folder, as base does when it starts a proxy again. */
  async stop(): Promise<void> {
    await this.run("stop-server.sh", { KEEP_FOLDER: "yes" });
  }

  async end(): Promise<void> {
    await this.run("stop-server.sh", { KEEP_FOLDER: "" });
    rmSync(this.project, { recursive: true });
  }

  private async run(script: string, parameters: Record<string, string>): Promise<void> {
    const variables = { PROJECT_FOLDER: this.project, SERVER_FOLDER, ...parameters };
    const child = spawn("bash", [join(PROGRAMS, "local", script)], { env: { ...env, ...variables } });
    await succeed(follow(child).ended);
  }
}
