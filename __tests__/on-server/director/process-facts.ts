/** What Linux knows of a process. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

export function children(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number) : [];
}

/** Ports that a process accepts connections on. */
export function listeningPorts(pid: number): number[] {
  const folder = `/proc/${pid}/fd`;
  const inodes = new Set(
    readdirSync(folder).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, fd)))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].filter((table) => existsSync(table));
  const rows = tables.flatMap((table) => readFileSync(table, "utf8").trim().split("\n").slice(1));
  return rows.flatMap((row) => {
    const cells = row.trim().split(/\s+/);
    const listens = cells[3] === "0A" && inodes.has(cells[9]!);
    return listens ? [Number.parseInt(cells[1]!.split(":").at(-1)!, 16)] : [];
  });
}
