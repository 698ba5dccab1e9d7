/**
 * What another account of the machine can do: a program that runs as that account, searches files, processes, locks and
 * sockets, and reports what it found. The test's own process is root, which may read everything.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** An account that every Debian has, and that nothing of ours runs as. */
export const OTHER = "nobody";

/** What this machine lacks for a second account; undefined if nothing is missing. */
export function missingAccount(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can start a program as another account";
  const { status } = spawnSync("setpriv", [...asAccount(OTHER), "true"]);
  return status === 0 ? undefined : "there is no setpriv (util-linux), or no account nobody";
}

/** The arguments of setpriv: none of root's groups and rights stay. */
export function asAccount(name: string): string[] {
  const ids = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((line) => line.startsWith(`${name}:`))
    ?.split(":");
  const [, , uid = "", gid = ""] = ids ?? [];
  return [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--bounding-set=-all", "--no-new-privs"];
}

/** What to search for, by name. The account gets the values on stdin only: its own arguments are public. */
export type Planted = Readonly<Record<string, string>>;

export interface Found {
  /** `<secret> in <file or process>`, each once. */
  readonly secrets: readonly string[];
  /** Files that it can read, below the folders. */
  readonly readable: readonly string[];
  /** Files that it can lock. */
  readonly locked: readonly string[];
  /** Sockets that it can connect to. */
  readonly connected: readonly string[];
  /** How many times it looked through /proc, and the most processes that it saw at once. */
  readonly looks: number;
  readonly processes: number;
}

/** Searches /proc until stdin ends, then the folders. */
const PROGRAM = `
const { spawnSync } = require("node:child_process");
const { lstatSync, readdirSync, readFileSync, realpathSync } = require("node:fs");
const { connect } = require("node:net");
const { join } = require("node:path");
const secrets = new Set(), readable = [], locked = [], connected = [];
let looks = 0, processes = 0, planted, folders;
const attempt = (action) => { try { return action(); } catch { return undefined; } };
// Whatever the coding: as it is, in base64 at any offset, and in URLs.
const forms = (value) => [
  value, encodeURIComponent(value),
  ...[0, 1, 2].map((skip) => Buffer.from(value.slice((3 - skip) % 3)).toString("base64").slice(0, -4)),
];
const search = (bytes, where) => {
  for (const [name, codings] of planted) if (codings.some((each) => bytes.includes(each))) secrets.add(name + " in " + where);
};
function lookAtProcesses() {
  const all = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name) && name !== String(process.pid));
  looks += 1;
  processes = Math.max(processes, all.length);
  for (const pid of all) for (const what of ["cmdline", "environ"]) {
    const bytes = attempt(() => readFileSync("/proc/" + pid + "/" + what));
    if (bytes !== undefined && bytes.length > 0) search(bytes, what + " of " + (attempt(() => readFileSync("/proc/" + pid + "/comm", "utf8").trim()) ?? "a process"));
  }
}
async function walk(path) {
  const stat = attempt(() => lstatSync(path));
  if (stat === undefined || stat.isSymbolicLink()) return;
  if (stat.isDirectory()) {
    for (const name of attempt(() => readdirSync(path)) ?? []) await walk(join(path, name));
  } else if (stat.isSocket()) {
    await new Promise((resolve) => {
      const socket = connect(path, () => { connected.push(path); socket.destroy(); resolve(); });
      socket.on("error", resolve);
    });
  } else if (stat.isFile()) {
    const bytes = attempt(() => readFileSync(path));
    if (bytes === undefined) return;
    readable.push(path);
    search(bytes, path);
    if (path.endsWith(".lock") && spawnSync("flock", ["--exclusive", "--nonblock", path, "true"]).status === 0) locked.push(path);
  }
}
let text = "", running = true;
process.stdin.setEncoding("utf8");
process.stdin.on("data", (part) => {
  if (planted !== undefined) return;
  text += part;
  if (!text.endsWith("\\n")) return;
  const given = JSON.parse(text);
  folders = given.folders;
  planted = Object.entries(given.planted).map(([name, value]) => [name, forms(value)]);
  const look = () => { if (!running) return; lookAtProcesses(); setImmediate(look); };
  look();
  console.error("searching");
});
process.stdin.on("end", async () => {
  running = false;
  for (const folder of folders) await walk(folder);
  console.log(JSON.stringify({ secrets: [...secrets].sort(), readable, locked, connected, looks, processes }));
});
`;

export interface Search {
  /** Ends the search in processes, and searches the folders. */
  end(): Promise<Found>;
}

/** Begins to search. Resolves once the account looks at processes. */
export async function searchAs(
  account: string,
  planted: Planted,
  folders: readonly string[],
): Promise<Search> {
  const child = spawn("setpriv", [...asAccount(account), process.execPath, "-e", PROGRAM], {
    cwd: "/",
    env: { PATH: process.env["PATH"] },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (stdout += part));
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const began = new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      stderr += part;
      if (stderr.includes("searching")) resolve();
    });
    void closed.then(() => reject(new Error(stderr)));
  });
  child.stdin.write(`${JSON.stringify({ planted, folders })}\n`);
  await began;
  return {
    async end() {
      child.stdin.end();
      await closed;
      if (!stdout.startsWith("{")) throw new Error(stderr);
      return JSON.parse(stdout) as Found;
    },
  };
}

/** Whether an account can open the file or connect to the socket, whatever the folders above allow to list. */
export function canOpen(account: string, path: string): boolean {
  const program = `
    const { connect } = require("node:net");
    const { openSync, statSync } = require("node:fs");
    const path = process.argv[1];
    if (statSync(path).isSocket()) {
      connect(path, () => process.exit(0)).on("error", () => process.exit(1));
    } else openSync(path);`;
  return (
    spawnSync("setpriv", [...asAccount(account), process.execPath, "-e", program, path], { cwd: "/" })
      .status === 0
  );
}
