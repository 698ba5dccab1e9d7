/** Connections from this NGINX to endpoints, from the kernel: NGINX does not report them. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Endpoint } from "../../../../configuration/naming";

const ESTABLISHED = "01";

/** The number of connections from processes to endpoints, including idle ones kept for the next request. */
export function connectionsTo(endpoints: readonly Endpoint[], pids: readonly number[]): number {
  const sockets = new Set(pids.flatMap(socketsOf));
  const remote = new Set(endpoints.map(({ host, port }) => `${hexAddress(host)}:${hex(port, 4)}`));
  const rows = readFileSync("/proc/net/tcp", "utf8").trim().split("\n").slice(1);
  return rows.filter((row) => {
    const cells = row.trim().split(/\s+/);
    return cells[3] === ESTABLISHED && remote.has(cells[2]!) && sockets.has(cells[9]!);
  }).length;
}

/** A process and its children: NGINX's workers, including those that still finish after a reload. */
export function family(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return [pid, ...children.trim().split(" ").filter(Boolean).map(Number)];
  } catch {
    return [];
  }
}

function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).flatMap((name) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${name}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return []; // the process has ended
  }
}

/** 127.0.0.1 is 0100007F there. */
function hexAddress(host: string): string {
  return host
    .split(".")
    .reverse()
    .map((part) => hex(Number(part), 2))
    .join("");
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
