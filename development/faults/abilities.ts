/** What a row needs of the machine. If something is missing, the row is skipped and reports it. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

export const ABILITIES = {
  mounts: "root in a separate mount namespace (file systems of a few MiB)",
  firewall: "root in a separate network namespace, and iptables",
  faketime: "libfaketime (Debian: apt-get install faketime)",
  cgroups: "root, and cgroup v1 with the memory controller",
  postgres: "a PostgreSQL on PATH, where Debian puts it, or of npm",
} as const;
export type Ability = keyof typeof ABILITIES;

/** Set in the process with separate namespaces: see `main.ts`. */
export const ISOLATED = "BLUEGREEN_FAULTS_OWN_NAMESPACES";

export const MEMORY_CGROUP = "/sys/fs/cgroup/memory";

const LIBRARIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];

export function libfaketime(): string | undefined {
  return LIBRARIES.map((folder) => `${folder}/faketime/libfaketime.so.1`).find(existsSync);
}

/** Whether this process may create namespaces. */
export function canUnshare(): boolean {
  return process.getuid?.() === 0 && succeeds("unshare", ["--net", "--mount", "true"]);
}

export function missingAbilities(): Set<Ability> {
  const isolated = process.env[ISOLATED] !== undefined;
  const has: Record<Ability, boolean> = {
    mounts: isolated,
    firewall: isolated && succeeds("iptables", ["-w", "-L", "-n"]),
    faketime: libfaketime() !== undefined,
    cgroups: process.getuid?.() === 0 && existsSync(`${MEMORY_CGROUP}/memory.limit_in_bytes`),
    postgres: true,
  };
  return new Set((Object.keys(has) as Ability[]).filter((ability) => !has[ability]));
}

function succeeds(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}
