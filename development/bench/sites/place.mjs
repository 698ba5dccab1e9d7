/** The environment of a measured site: a folder, free ports, one instance for each slot, and a clean-up. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const REPOSITORY = resolve(import.meta.dirname, "../../..");
export const HOST = "127.0.0.1";
const PATIENCE_MS = 10_000;
/** Debian installs proxies in /usr/sbin, which is not on every user's PATH. */
export const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

export function isInstalled(program) {
  return (
    spawnSync("sh", ["-c", 'command -v "$1"', "sh", program], { env: { ...process.env, PATH } }).status === 0
  );
}

export async function freePort() {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/**
 * @param instances "node": pages and rows; "nginx": pages only, faster than any proxy
 * @returns the folder, three ports, the folder of the pages, and `atEnd`: functions that are called in reverse order.
 */
export async function openPlace(instances = "node") {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-bench-"));
  const [port, blue, green] = [await freePort(), await freePort(), await freePort()];
  const application = { node: startNode, nginx: startPages }[instances](blue, green);
  const ends = [() => rmSync(folder, { recursive: true, force: true }), application.stop];
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  return {
    folder,
    port,
    blue,
    green,
    origin: `http://${HOST}:${port}`,
    pages: application.folder,
    atEnd: (end) => ends.push(end),
    close,
  };
}

function startNode(blue, green) {
  return start(process.execPath, [join(REPOSITORY, "development/bench/slots.mjs"), `${blue}`, `${green}`]);
}

function startPages(blue, green) {
  const folder = mkdtempSync(join(tmpdir(), "bluegreen-pages-"));
  const page = "A page of two kilobytes. ".repeat(80);
  const server = (port, release) => `server {
    listen ${HOST}:${port};
    location = /proxy-healthz { return 200; }
    location / { add_header x-release-id ${release}; return 200 "${page}"; }
  }`;
  writeFileSync(
    join(folder, "nginx.conf"),
    `worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path temp;
  keepalive_requests 100000000;
  keepalive_timeout 120s;
  ${server(blue, "1.0.0-1")}
  ${server(green, "1.1.0-2")}
}
`,
  );
  const pages = start("nginx", ["-p", `${folder}/`, "-c", "nginx.conf", "-g", "daemon off;"], {
    cwd: folder,
  });
  const stop = async () => {
    await pages.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...pages, folder, stop };
}

/** All other processes with their working directory in a folder: a proxy with its workers. */
export function processesIn(folder) {
  return readdirSync("/proc").filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        Number(pid) !== process.pid &&
        readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
      );
    } catch {
      return false;
    }
  });
}

/** A program in the foreground. */
export function start(program, args, options = {}) {
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, PATH },
    ...options,
  });
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill();
    await exited;
  };
  return { pid: child.pid, stop };
}

/** @throws Error with the program's output if it fails. */
export function run(program, args, options = {}) {
  const { status, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, PATH },
    ...options,
  });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

export async function until(holds, what) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what} did not happen in ${PATIENCE_MS / 1000} s`);
    await sleep(20);
  }
}

/** Waits for an answer with status 200. */
export function answers(origin) {
  return until(
    () =>
      fetch(origin).then(
        async (response) => (await response.text()) !== "" && response.status === 200,
        () => false,
      ),
    `an answer of ${origin}`,
  );
}

/** The part of the requests that go to green. */
export function weightOfGreen({ live, weight }) {
  return live === "blue" ? weight : 100 - weight;
}
