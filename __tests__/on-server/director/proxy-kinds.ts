/** The kinds of proxy that are tested, as processes of the programs that are installed here. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { DriverName } from "../../../configuration/drivers";

export interface ProxyKind {
  readonly name: DriverName;
  /** Whether it can end what runs on a slot. */
  readonly cuts: boolean;
  /** Whether requests can wait while nobody listens. */
  readonly holds: boolean;
  /** Whether a server leaves the rotation without a reload. */
  readonly rotatesWithoutReload: boolean;
  /** Whether it counts latencies (NGINX: anything) only while they are wanted. */
  readonly measuresOnRequest: boolean;
  /**
   * The status that a client may get instead of an answer if the instance closes its connection after it, while a body is
   * being sent. 0: the end of the client's connection.
   */
  readonly insteadOfEarlyAnswers: readonly number[];
  /** Whether trailers of an answer reach the client. */
  readonly passesTrailers: boolean;
  /** The file or folder by which it is told something. */
  readonly control: string;
  /** Starts the proxy in its folder, which holds its files. */
  start(folder: string): ChildProcess;
}

const PROGRAMS = resolve(__dirname, "../../../lib/on-server");
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`;
/** Debian keeps the proxies where not every user looks. */
export const env = { ...process.env, PATH };

export const haproxy: ProxyKind = {
  name: "haproxy",
  cuts: true,
  holds: true,
  rotatesWithoutReload: true,
  measuresOnRequest: true,
  insteadOfEarlyAnswers: [0],
  passesTrailers: true,
  control: "admin.sock",
  start: (folder) => spawn("haproxy", ["-db", "-f", "haproxy.cfg"], { cwd: folder, env, stdio: "ignore" }),
};

export const nginx: ProxyKind = {
  name: "nginx",
  cuts: false,
  holds: false,
  rotatesWithoutReload: false,
  measuresOnRequest: true,
  insteadOfEarlyAnswers: [502],
  passesTrailers: false,
  control: "live",
  start: (folder) => {
    rmSync(join(folder, "admin.sock"), { force: true });
    const args = ["-p", `${folder}/`, "-c", "nginx.conf", "-g", "daemon off;"];
    return spawn("nginx", args, { cwd: folder, env, stdio: "ignore" });
  },
};

export const embedded: ProxyKind = {
  name: "embedded",
  cuts: true,
  holds: true,
  rotatesWithoutReload: true,
  measuresOnRequest: false,
  insteadOfEarlyAnswers: [],
  passesTrailers: true,
  control: "admin.sock",
  start: (folder) => {
    const program = join(PROGRAMS, "embedded-proxy.js");
    if (!existsSync(program)) throw new Error(`${program} is missing: npm run build`);
    return spawn(process.execPath, [program], { cwd: folder, stdio: "ignore" });
  },
};

/** `describe`, or its skipping where the proxy is not installed, which is said aloud. */
export function describeWith({ name }: ProxyKind): jest.Describe {
  if (name === "embedded" || spawnSync(name, ["-v"], { env }).status === 0) return describe;
  console.warn(`${name} is not installed: NOTHING of its driver is tested here`);
  return describe.skip;
}

/** As 2.6 for 2.6.12; 0 if it is not installed. */
export function haproxyVersion(): number {
  const { stdout } = spawnSync("haproxy", ["-v"], { env, encoding: "utf8" });
  return Number(/version (\d+\.\d+)/.exec(stdout ?? "")?.[1] ?? 0);
}
