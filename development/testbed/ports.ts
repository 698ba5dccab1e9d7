/** Free ports for a project: base numbers its proxies and slots from one port. */
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

const FIRST_PORT = 24_000;
const LAST_PORT = 32_000;

/** The first port of the proxies; slots begin 100 above (release/naming.ts). Random, because test files run in parallel. */
export async function freePortBase(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const base = FIRST_PORT + 200 * Math.floor((Math.random() * (LAST_PORT - FIRST_PORT)) / 200);
    const ports = [0, 1, 2, 100, 101, 110, 111].map((offset) => base + offset);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
  throw new Error(`no free ports between ${FIRST_PORT} and ${LAST_PORT}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** A port on which no process listens now. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
