/**
 * The contract between the base and the web stack: names, addresses and ports, computed from the environment alone. So
 * web does not read base's state, and old releases still resolve after base changed.
 */
import { privateAddress } from "./azure/azure-names";
import type { Environment, LocalEnvironment } from "./environment";
import type { DeploymentEnvironment, CustomEnvironment } from "./custom-environment";
import { isLocal, isCustom } from "./platform";
import { InvalidInput } from "../release/failure";
import { quote } from "../release/text";
import { SLOTS } from "../release/slot";
import type { PerSlot, Slot } from "../release/slot";

/** The server and port at which a slot's release answers. */
export interface Endpoint {
  readonly server: string;
  readonly host: string;
  readonly port: number;
}

export interface ServerPlace {
  readonly name: string;
  /** The slots on this server. */
  readonly slots: readonly Slot[];
}

export interface ProxyPlace {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Set if the proxy serves HTTPS; `port` then redirects to it. The certificate is a file in the proxy's folder. */
  readonly tls: { readonly port: number; readonly certificate: string } | null;
}

/** In the data folder of a local database. Contains a password. */
export const DATABASE_URL_FILE = "database.url";
const CERTIFICATE_FILE = "tls/site.pem";
const LOOPBACK = "127.0.0.1";
const SLOT_PORT_OFFSET = 100;
const DATABASE_PORT_OFFSET = 90;
const HTTP_PORT = 80;
const HTTPS_PORT = 443;

export function serverPlaces(
  environment: Pick<Environment, "servers" | "topology"> | CustomEnvironment,
): ServerPlace[] {
  if (!("servers" in environment)) {
    return environment.platform.servers.map(({ name, ports }) => ({
      name,
      slots: SLOTS.filter((slot) => ports[slot] !== undefined),
    }));
  }
  const { count } = environment.servers;
  return range(count).map((index) => ({ name: `web-${index + 1}`, slots: slotsOn(environment, index) }));
}

/** Servers and proxies can be healed. @throws InvalidInput listing them. */
export function refuseUnknownMachines(names: readonly string[], environment: DeploymentEnvironment): void {
  const proxies = proxyPlaces(environment).map(({ name }) => name);
  const known = [...serverPlaces(environment).map(({ name }) => name), ...proxies];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new InvalidInput(
      `there is no server ${quote(unknown)} in ${environment.name}: ${known.join(", ")}`,
    );
  }
}

export function proxyPlaces(environment: DeploymentEnvironment): ProxyPlace[] {
  if (isCustom(environment)) {
    return environment.platform.proxies.map(({ tls = null, ...place }) => ({ ...place, tls }));
  }
  const place = (index: number): Omit<ProxyPlace, "name"> =>
    isLocal(environment)
      ? { host: LOOPBACK, port: environment.platform.portBase + index, tls: null }
      : {
          host: privateAddress(environment, "proxy", index),
          port: HTTP_PORT,
          tls:
            environment.platform.tlsCertificate === undefined
              ? null
              : { port: HTTPS_PORT, certificate: CERTIFICATE_FILE },
        };
  return range(environment.proxies.count).map((index) => ({ name: `proxy-${index + 1}`, ...place(index) }));
}

export function slotEndpoints(environment: DeploymentEnvironment): PerSlot<readonly Endpoint[]> {
  if (isCustom(environment)) {
    const endpoints = (slot: Slot): Endpoint[] =>
      environment.platform.servers.flatMap(({ name, host, ports }) =>
        ports[slot] === undefined ? [] : [{ server: name, host, port: ports[slot] }],
      );
    return { blue: endpoints("blue"), green: endpoints("green") };
  }
  const places = serverPlaces(environment);
  const address = (index: number): string =>
    isLocal(environment) ? LOOPBACK : privateAddress(environment, "web", index);
  const endpoints = (slot: Slot): Endpoint[] =>
    places.flatMap((place, index) =>
      place.slots.includes(slot)
        ? [{ server: place.name, host: address(index), port: slotPort(environment, index, slot) }]
        : [],
    );
  return { blue: endpoints("blue"), green: endpoints("green") };
}

/** The folder for synthesized stacks, plans and local state, relative to the project. */
export function workFolder(environment: Environment): string {
  return isLocal(environment) ? environment.platform.folder : `.bluegreen/${environment.name}`;
}

/** The folder of a server or proxy of the local platform, relative to the project. */
export function serverFolder(environment: LocalEnvironment, name: string): string {
  return `${environment.platform.folder}/servers/${name}`;
}

/** The folder for data that must survive releases on the local platform, relative to the project. */
export function dataFolder(environment: LocalEnvironment): string {
  return `${environment.platform.folder}/data`;
}

/** The share of the local platform (`storage.shared`), relative to the project. */
export function sharedFolder(environment: LocalEnvironment): string {
  return `${environment.platform.folder}/shared`;
}

/** The file with the address of the local platform's database. Contains a password. */
export function databaseUrlFile(environment: LocalEnvironment): string {
  return `${dataFolder(environment)}/${DATABASE_URL_FILE}`;
}

export function databasePort(environment: LocalEnvironment): number {
  return environment.platform.portBase + DATABASE_PORT_OFFSET;
}

/** Runs migrations. Not part of the counts in an environment file. */
export const OPERATIONS_SERVER = "operations-1";

export function stateFile(environment: Environment, stack: string): string {
  return `${workFolder(environment)}/terraform.${stack}.tfstate`;
}

function slotsOn(environment: Pick<Environment, "servers" | "topology">, index: number): readonly Slot[] {
  if (environment.topology === "sideBySide") return SLOTS;
  // Alternating, so that adding a server does not move others to the other slot.
  return index % 2 === 0 ? ["blue"] : ["green"];
}

function slotPort(environment: Environment, serverIndex: number, slot: Slot): number {
  // On one machine, every server needs separate ports.
  const first = isLocal(environment)
    ? environment.platform.portBase + SLOT_PORT_OFFSET + 10 * serverIndex
    : environment.platform.webServers.port;
  return environment.topology === "sideBySide" && slot === "green" ? first + 1 : first;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
