/** Free ports for a project: base numbers its proxies and slots from one port. */
import { createServer } from "node:net";

/** `fetch` refuses some ports below, the last one is 10080. */
const FIRST_SINGLE = 11_000;
const FIRST_PORT = 24_000;
const LAST_PORT = 32_000;

/** The first port of the proxies; slots begin 100 above (release/naming.ts). Random, because test files run in parallel. */
export async function freePortBase(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const base = FIRST_PORT + 200 * Math.floor((Math.random() * (LAST_PORT - FIRST_PORT)) / 200);
    const ports = [0, 1, 2, 100, 101, 110, 111].map((offset) => base + offset);
    if ((await Promise.all(ports.map((port) => isFree(port)))).every(Boolean)) return base;
  }
  throw new Error(`no free ports between ${FIRST_PORT} and ${LAST_PORT}`);
}

/**
 * A port on which no process listens now. It is none of those that the system gives to outgoing connections: a test that stops a
 * server, to start it again later, could lose such a port to one.
 */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = FIRST_SINGLE + Math.floor(Math.random() * (FIRST_PORT - FIRST_SINGLE));
    if (await isFree(port, host)) return port;
  }
  throw new Error(`no free port between ${FIRST_SINGLE} and ${FIRST_PORT}`);
}

function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
