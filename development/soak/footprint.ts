/** The resources of an environment on this machine: processes, ports, open files, memory and disk, from /proc and its folder. */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

export interface Footprint {
  /** The proxy's open files and resident memory. */
  readonly proxyFiles: number;
  readonly proxyKiB: number;
  readonly instances: number;
  /** Command lines of processes other than proxies, instances and database. */
  readonly strayProcesses: readonly string[];
  readonly listeningPorts: readonly number[];
  /** Deposed objects that failed applies left in Terraform's state. */
  readonly deposed: number;
  /** The most on one server. */
  readonly keptReleases: number;
  /** Names of steps that ran. */
  readonly commands: number;
  /** Files in the folder for temporary files. */
  readonly temporary: readonly string[];
  readonly bytes: Readonly<Record<Part, number>>;
}

export const PARTS = ["artifacts", "releases", "commands", "logs", "proxy", "state", "receipts"] as const;
export type Part = (typeof PARTS)[number];

interface Place {
  /** The environment's folder. */
  readonly folder: string;
  readonly portBase: number;
  readonly temporaryFolder: string;
  /** The project, which is also in the folder for temporary files. */
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
        (name) => sizeOfOtherFiles(join(folder, "servers", name)),
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
        // A process without a command line is a zombie.
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

/** Without the folders that are counted separately. */
function sizeOfOtherFiles(folder: string): number {
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
    return []; // It was removed meanwhile.
  }
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
