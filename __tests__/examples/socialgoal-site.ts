/** The example application as a real process, for the tests. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { packRelease } from "../../examples/socialgoal/pack";

const run = promisify(execFile);

export interface Site {
  readonly port: number;
  readonly process: ChildProcess;
  readonly output: () => string;
  /** Resolves when the output contains `text`. */
  readonly says: (text: string) => Promise<void>;
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
  readonly post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Response>;
  readonly submit: (
    path: string,
    fields: Record<string, string>,
    headers?: Record<string, string>,
  ) => Promise<Response>;
}

/** The folder of a release, packed and unpacked once. */
export async function unpackedRelease(workplace: string, version: string): Promise<string> {
  const folder = join(workplace, "releases", version);
  if (existsSync(folder)) return folder;
  const { file } = await packRelease({ version, to: join(workplace, "packages") });
  await mkdir(folder, { recursive: true });
  await run("unzip", ["-q", file, "-d", folder]);
  return folder;
}

const running = new Set<ChildProcess>();

/** Starts the application in a release's folder, and waits until it listens. */
export async function startSite(
  releaseFolder: string,
  environment: Readonly<Record<string, string>>,
): Promise<Site> {
  const child = spawn(process.execPath, ["server.js"], {
    cwd: releaseFolder,
    env: { PATH: process.env["PATH"], PORT: "0", ...environment },
  });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  child.once("exit", () => running.delete(child));

  const says = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => output.includes(text) && resolve();
      child.stdout.on("data", look);
      child.once("exit", () => reject(new Error(`exited without saying '${text}': ${output}`)));
      look();
    });
  await says("listens on");
  const port = Number(/port (\d+)/.exec(output)?.[1]);
  const call = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, { redirect: "manual", ...init });
  return {
    port,
    process: child,
    output: () => output,
    says,
    fetch: call,
    post: (path, body, headers = {}) =>
      call(path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers }),
    submit: (path, fields, headers = {}) =>
      call(path, { method: "POST", body: new URLSearchParams(fields), headers }),
  };
}

/** Ends all that were started. */
export async function endSites(): Promise<void> {
  const ended = [...running].map((process) => once(process, "exit"));
  for (const process of running) process.kill("SIGKILL");
  await Promise.all(ended);
}
