/** The slots' endpoints in the embedded proxy: health checks, and which one a request gets. */
import { createHash } from "node:crypto";
import { get } from "node:http";
import type { EndpointHealth } from "../director/drivers/driver";
import type { EmbeddedProxySettings, Rotation } from "../director/drivers/embedded/embedded-settings";
import { keepsClients, withoutServers, withServers } from "../director/drivers/rotation";
import type { OutOfRotation } from "../director/drivers/rotation";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";

const CHECK_INTERVAL_MS = 300;
const CHECK_TIMEOUT_MS = 5_000;
const FALL = 3;

export interface ProxiedEndpoint {
  readonly host: string;
  readonly port: number;
}

/** With affinity: where a client's requests go. */
export interface Client {
  readonly address: string;
  /** The server that it stays on, if that one can take a request. */
  readonly server: string | null;
}

interface Watched extends ProxiedEndpoint {
  readonly server: string;
  failures: number;
  inRotation: boolean;
  /** Out of rotation, but those who have its cookie stay. */
  keepsClients: boolean;
}

export class Endpoints {
  private readonly watched: Record<Slot, Watched[]>;
  private turn = 0;

  constructor(
    private readonly settings: EmbeddedProxySettings,
    private out: OutOfRotation,
  ) {
    const watch = (slot: Slot) =>
      settings.endpoints[slot].map(({ server, host, port }) => {
        return { server, host, port, failures: FALL, ...this.rotationOf(slot, server) };
      });
    this.watched = { blue: watch("blue"), green: watch("green") };
  }

  startChecks(): void {
    for (const slot of SLOTS) for (const endpoint of this.watched[slot]) this.check(endpoint);
  }

  health(slot: Slot): EndpointHealth[] {
    return this.watched[slot].map(({ server, failures, inRotation }) => {
      return { server, inRotation, healthy: failures < FALL };
    });
  }

  /** Whether a server gets requests of clients that have its cookie. */
  keeps(slot: Slot, server: string): boolean {
    return this.watched[slot].some((each) => each.server === server && isUsed(each));
  }

  /** Whether a slot has an endpoint that can take a request. */
  isUp(slot: Slot): boolean {
    return this.health(slot).some(({ healthy, inRotation }) => healthy && inRotation);
  }

  /** @returns the servers that are out of rotation now. @throws Error if a server is unknown. */
  rotate({ slot, servers, inRotation, keepsClients: keeps = false }: Rotation): OutOfRotation {
    const known = (server: string) => this.watched[slot].some((each) => each.server === server);
    const unknown = servers.find((server) => !known(server));
    if (unknown !== undefined) throw new Error(`there is no ${unknown} in ${slot}`);
    this.out = inRotation
      ? withServers(this.out, slot, servers)
      : withoutServers(this.out, slot, servers, keeps);
    for (const each of this.watched[slot]) Object.assign(each, this.rotationOf(slot, each.server));
    return this.out;
  }

  private rotationOf(slot: Slot, server: string): Pick<Watched, "inRotation" | "keepsClients"> {
    return {
      inRotation: !this.out[slot].includes(server),
      keepsClients: keepsClients(this.out, slot, server),
    };
  }

  /** An endpoint that refused a connection, or did not accept it in time, is down until it passes a check again. */
  refused(slot: Slot, unreachable: ProxiedEndpoint): void {
    const endpoint = this.find(slot, unreachable);
    if (endpoint !== undefined) endpoint.failures = FALL;
  }

  serverOf(slot: Slot, endpoint: ProxiedEndpoint): string | undefined {
    return this.find(slot, endpoint)?.server;
  }

  /**
   * The next endpoint of a slot, a healthy one if there is any; undefined if all are out of rotation, or tried.
   * @param client null without affinity: each request gets another endpoint.
   */
  next(
    slot: Slot,
    client: Client | null,
    tried: readonly ProxiedEndpoint[] = [],
  ): ProxiedEndpoint | undefined {
    const wasTried = (each: Watched) =>
      tried.some(({ host, port }) => each.host === host && each.port === port);
    const own = this.watched[slot].find((each) => each.server === client?.server && each.keepsClients);
    if (own !== undefined && own.failures < FALL && !wasTried(own)) return { host: own.host, port: own.port };
    const all = this.watched[slot].filter(({ inRotation }) => inRotation);
    const healthy = all.filter((endpoint) => endpoint.failures < FALL);
    const candidates = (healthy.length > 0 ? healthy : all).filter((each) => !wasTried(each));
    const next = client === null ? this.inTurn(candidates) : endpointOf(client, candidates);
    return next && { host: next.host, port: next.port };
  }

  /** Whether an endpoint of a slot is healthy, and gets requests of its clients. */
  takesRequests(slot: Slot, endpoint: ProxiedEndpoint): boolean {
    const found = this.find(slot, endpoint);
    return found !== undefined && isUsed(found) && found.failures < FALL;
  }

  /** The same of a client's server. */
  isWell(slot: Slot, server: string): boolean {
    return this.watched[slot].some((each) => each.server === server && isUsed(each) && each.failures < FALL);
  }

  private inTurn(candidates: readonly Watched[]): Watched | undefined {
    this.turn = (this.turn + 1) % 1_000_000;
    return candidates[this.turn % candidates.length];
  }

  private find(slot: Slot, { host, port }: ProxiedEndpoint): Watched | undefined {
    return this.watched[slot].find((each) => each.host === host && each.port === port);
  }

  private check(endpoint: Watched): void {
    const { path, host, status } = this.settings.check;
    const limit = AbortSignal.timeout(CHECK_TIMEOUT_MS);
    let settled = false;
    const settle = (passed: boolean): void => {
      if (settled) return;
      settled = true;
      endpoint.failures = passed ? 0 : Math.min(FALL, endpoint.failures + 1);
      setTimeout(() => this.check(endpoint), CHECK_INTERVAL_MS).unref();
    };
    const request = get(
      {
        host: endpoint.host,
        port: endpoint.port,
        path,
        headers: { host },
        agent: false,
        // Of the whole answer: an endless one is not read for ever.
        signal: limit,
      },
      (response) => {
        response.on("error", () => undefined).resume();
        settle(response.statusCode === status);
      },
    );
    request.on("error", () => settle(false));
  }
}

function isUsed({ inRotation, keepsClients: keeps }: Watched): boolean {
  return inRotation || keeps;
}

/**
 * The client's server; for a client without one, that of the highest digest with its address. So a client's first requests
 * meet one server, also if they are parallel, and a server that fails moves no other's clients.
 */
function endpointOf({ address, server }: Client, candidates: readonly Watched[]): Watched | undefined {
  const kept = candidates.find((each) => each.server === server);
  if (kept !== undefined || candidates.length < 2) return kept ?? candidates[0];
  const rank = (each: Watched) => createHash("sha256").update(`${each.server} ${address}`).digest("hex");
  return candidates
    .map((endpoint) => ({ endpoint, rank: rank(endpoint) }))
    .reduce((one, other) => (other.rank > one.rank ? other : one)).endpoint;
}
