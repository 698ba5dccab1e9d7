/** Free ports for a project: base lays its proxies and slots out from one number. */
import { createServer } from "node:net";

const FIRST_PORT = 24_000;
const LAST_PORT = 32_000;

/** Proxies listen from here on, slots from 100 above (release/naming.ts). Test files run side by side: hence random. */
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
