/** What an environment on this machine takes: processes, ports, open files, memory and disk. Read from /proc and its folder. */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

export interface Footprint {
  /** Of the proxy: open files and resident memory. */
  readonly proxyFiles: number;
  readonly proxyKiB: number;
  readonly instances: number;
  /** Neither proxy, instance nor database: its command lines. */
  readonly strayProcesses: readonly string[];
  readonly listeningPorts: readonly number[];
  /** Records that failed applies left in Terraform's state. */
  readonly deposed: number;
  /** The most on one server. */
  readonly keptReleases: number;
  /** Of steps' names, that are never used again. */
  readonly commands: number;
  /** Files below the folder for temporary ones. */
  readonly temporary: readonly string[];
  readonly bytes: Readonly<Record<Part, number>>;
}

export const PARTS = ["artifacts", "releases", "commands", "logs", "proxy", "state", "receipts"] as const;
export type Part = (typeof PARTS)[number];

interface Place {
  /** The environment's own folder. */
  readonly folder: string;
  readonly portBase: number;
  readonly temporaryFolder: string;
  /** The project, which lies in the folder for temporary files, too. */
  readonly project: string;
  readonly deposed: number;
}

export function footprintOf(place: Place): Footprint {
  const { folder, portBase, temporaryFolder, project, deposed } = place;
  const servers = namesIn(join(folder, "servers"));
  const web = servers.filter((name) => name.startsWith("web-"));
  const all = processesBelow(folder);
  const of = (prefix: string): Process[] => all.filter(({ cwd }) => cwd.startsWith(prefix));
  const proxies = of("servers/proxy-");
  const instances = of("servers/web-");
  const inServers = (part: string): string[] =>
    servers.map((server) => join(folder, "servers", server, part));
  return {
    proxyFiles: sum(proxies, ({ pid }) => namesIn(`/proc/${pid}/fd`).length),
    proxyKiB: sum(proxies, ({ pid }) => residentKiB(pid)),
    instances: instances.length,
    strayProcesses: all
      .filter((process) => !proxies.includes(process) && !instances.includes(process))
      .map(({ command }) => command)
      .filter((command) => !/postgres/.test(command)),
    listeningPorts: listeningPorts(portBase, portBase + 200),
    deposed,
    keptReleases: Math.max(
      0,
      ...web.map((server) => namesIn(join(folder, "servers", server, "releases")).length),
    ),
    commands: sum(inServers("commands"), (commands) => namesIn(commands).length),
    temporary: namesIn(temporaryFolder).filter((name) => join(temporaryFolder, name) !== project),
    bytes: {
      artifacts: sizeOf(join(folder, "artifacts")),
      releases: sum(inServers("releases"), sizeOf),
      commands: sum(inServers("commands"), sizeOf),
      logs: sum(inServers("logs"), sizeOf),
      proxy: sum(
        servers.filter((name) => name.startsWith("proxy-")),
        (name) => ownFiles(join(folder, "servers", name)),
      ),
      state: sum(
        namesIn(folder).filter((name) => name.includes("tfstate")),
        (name) => sizeOf(join(folder, name)),
      ),
      receipts: sizeOf(join(folder, "receipts")),
    },
  };
}

interface Process {
  readonly pid: number;
  /** Relative to the environment's folder. */
  readonly cwd: string;
  readonly command: string;
}

function processesBelow(folder: string): Process[] {
  return namesIn("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const cwd = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, "");
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        // What has no command line has ended, and waits for its parent.
        if (!`${cwd}/`.startsWith(`${folder}/`) || command === "") return [];
        return [{ pid: Number(pid), cwd: cwd.slice(folder.length + 1), command: command.slice(0, 120) }];
      } catch {
        return []; // It ended meanwhile.
      }
    });
}

function residentKiB(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function listeningPorts(from: number, to: number): number[] {
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  const ports = lines.flatMap((line) => {
    const [, port] = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A /.exec(line) ?? [];
    return port === undefined ? [] : [parseInt(port, 16)];
  });
  return [...new Set(ports)].filter((port) => port >= from && port < to).sort((one, other) => one - other);
}

/** Without the folders that are counted by themselves. */
function ownFiles(folder: string): number {
  const others = ["commands", "releases", "logs"];
  return sum(
    namesIn(folder).filter((name) => !others.includes(name)),
    (name) => sizeOf(join(folder, name)),
  );
}

function sizeOf(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  return found.isDirectory() ? sum(namesIn(path), (name) => sizeOf(join(path, name))) : found.size;
}

function namesIn(folder: string): string[] {
  try {
    return existsSync(folder) ? readdirSync(folder) : [];
  } catch {
    return []; // It went meanwhile.
  }
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
