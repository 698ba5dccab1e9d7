/** The loopback ports of a local environment: proxies, slots and database. */
import { createServer } from "node:net";
import type { LocalEnvironment } from "../../configuration/environment";
import { databasePort, proxyPlaces, slotEndpoints } from "../../configuration/naming";

function portsOf(environment: LocalEnvironment): number[] {
  const { blue, green } = slotEndpoints(environment);
  const ports = [...proxyPlaces(environment), ...blue, ...green].map(({ port }) => port);
  return [...new Set([...ports, databasePort(environment)])];
}

/** The ports that are in use. */
export async function takenPorts(environment: LocalEnvironment): Promise<number[]> {
  const ports = portsOf(environment);
  const free = await Promise.all(ports.map(isFree));
  return ports.filter((_, index) => !free[index]);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
