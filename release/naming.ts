/**
 * The contract between the base and the web stack: names, addresses and ports, computed from the environment
 * alone. So web needs nothing from base's state, and an old release still resolves after base changed.
 */
import type { Environment } from "./environment";
import { InvalidInput } from "./refusal";
import { quote, releaseId } from "./release";
import { isHealed, recordDigest } from "./record";
import type { ReleaseRecord } from "./record";
import { SLOTS } from "./slot";
import type { PerSlot, Slot } from "./slot";

/** One server's port on which one slot's release answers. */
export interface Endpoint {
  readonly server: string;
  readonly host: string;
  readonly port: number;
}

export interface ServerPlace {
  readonly name: string;
  /** The slots that live on this server. */
  readonly slots: readonly Slot[];
}

export interface ProxyPlace {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = "127.0.0.1";
const SLOT_PORT_OFFSET = 100;

export function serverPlaces(environment: Environment): ServerPlace[] {
  const { count } = environment.servers;
  return range(count).map((index) => ({ name: `web-${index + 1}`, slots: slotsOn(environment, index) }));
}

/** @throws InvalidInput naming those that there are. */
export function refuseUnknownServers(servers: readonly string[], environment: Environment): void {
  const names = serverPlaces(environment).map(({ name }) => name);
  const unknown = servers.find((server) => !names.includes(server));
  if (unknown !== undefined) {
    throw new InvalidInput(
      `there is no server ${quote(unknown)} in ${environment.name}: ${names.join(", ")}`,
    );
  }
}

export function proxyPlaces(environment: Environment): ProxyPlace[] {
  const { portBase } = environment.platform;
  return range(environment.proxies.count).map((index) => ({
    name: `proxy-${index + 1}`,
    host: LOOPBACK,
    port: portBase + index,
  }));
}

export function slotEndpoints(environment: Environment): PerSlot<readonly Endpoint[]> {
  const places = serverPlaces(environment);
  const endpoints = (slot: Slot): Endpoint[] =>
    places.flatMap((place, index) =>
      place.slots.includes(slot)
        ? [{ server: place.name, host: LOOPBACK, port: slotPort(environment, index, slot) }]
        : [],
    );
  return { blue: endpoints("blue"), green: endpoints("green") };
}

/** The folder of a server or proxy of the local platform, relative to the project. */
export function serverFolder(environment: Environment, name: string): string {
  return `${environment.platform.folder}/servers/${name}`;
}

/** Where all servers of the local platform keep what must survive a release, relative to the project. */
export function dataFolder(environment: Environment): string {
  return `${environment.platform.folder}/data`;
}

export function stateFile(environment: Environment, stack: string): string {
  return `${environment.platform.folder}/terraform.${stack}.tfstate`;
}

/**
 * Names of the steps' executions. A name is never used twice on a server, so each carries what makes it run. Begin
 * and switch carry the record's digest too: an edit that forgets the sequence runs begin, which refuses it.
 */
export const stepName = {
  begin: (record: ReleaseRecord): string => `begin-${edition(record)}`,
  /** A healed server's is its own; the other servers' stay as they are, so nothing runs there. */
  install: (record: ReleaseRecord, slot: Slot, server: string): string => {
    const entry = record.slots[slot];
    if (isHealed(record, slot, server)) return `heal-${slot}-${record.heals![server]}`;
    return entry === null ? `empty-${slot}-${record.sequence}` : `install-${slot}-${releaseId(entry)}`;
  },
  switch: (record: ReleaseRecord): string => `switch-${edition(record)}`,
  converge: (record: ReleaseRecord, slot: Slot): string => `converge-${slot}-${record.sequence}`,
  share: (record: ReleaseRecord): string => `share-${record.sequence}`,
};

/** Construct ids of the steps: with them, the Terraform addresses. Public: a change is a breaking change. */
export const stepId = {
  begin: (proxy: string): string => `begin-${proxy}`,
  install: (slot: Slot, server: string): string => `install-${slot}-${server}`,
  switch: (proxy: string): string => `switch-${proxy}`,
  converge: (slot: Slot, server: string): string => `converge-${slot}-${server}`,
  share: (proxy: string): string => `share-${proxy}`,
};

function edition(record: ReleaseRecord): string {
  return `${record.sequence}-${recordDigest(record).slice(0, 8)}`;
}

function slotsOn(environment: Environment, index: number): readonly Slot[] {
  if (environment.topology === "sideBySide") return SLOTS;
  // In turn, so that one more server moves none of the others to the other slot.
  return index % 2 === 0 ? ["blue"] : ["green"];
}

function slotPort(environment: Environment, serverIndex: number, slot: Slot): number {
  const first = environment.platform.portBase + SLOT_PORT_OFFSET + 10 * serverIndex;
  return environment.topology === "sideBySide" && slot === "green" ? first + 1 : first;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
