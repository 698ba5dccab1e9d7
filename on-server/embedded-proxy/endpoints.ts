/** The slots' endpoints in the embedded proxy: health checks, and which one a request gets. */
import { createHash } from "node:crypto";
import { get } from "node:http";
import type { EndpointHealth } from "../director/drivers/driver";
import type { EmbeddedProxySettings, Rotation } from "../director/drivers/embedded/embedded-settings";
import { SLOTS } from "../../release/slot";
import type { PerSlot, Slot } from "../../release/slot";

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
}

export class Endpoints {
  private readonly watched: Record<Slot, Watched[]>;
  private turn = 0;

  constructor(
    private readonly settings: EmbeddedProxySettings,
    excluded: PerSlot<readonly string[]>,
  ) {
    const watch = (slot: Slot) =>
      settings.endpoints[slot].map(({ server, host, port }) => {
        return { server, host, port, failures: FALL, inRotation: !excluded[slot].includes(server) };
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

  isInRotation(slot: Slot, server: string): boolean {
    return this.watched[slot].some((each) => each.server === server && each.inRotation);
  }

  /** Whether a slot has an endpoint that can take a request. */
  isUp(slot: Slot): boolean {
    return this.health(slot).some(({ healthy, inRotation }) => healthy && inRotation);
  }

  /** @returns the servers that are out of rotation now. @throws Error if a server is unknown. */
  rotate({ slot, servers, inRotation }: Rotation): PerSlot<string[]> {
    for (const server of servers) {
      const endpoint = this.watched[slot].find((each) => each.server === server);
      if (endpoint === undefined) throw new Error(`there is no ${server} in ${slot}`);
      endpoint.inRotation = inRotation;
    }
    const excluded = (each: Slot) =>
      this.watched[each].flatMap((endpoint) => (endpoint.inRotation ? [] : [endpoint.server]));
    return { blue: excluded("blue"), green: excluded("green") };
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
    const all = this.watched[slot].filter(({ inRotation }) => inRotation);
    const healthy = all.filter((endpoint) => endpoint.failures < FALL);
    const candidates = (healthy.length > 0 ? healthy : all).filter(
      (each) => !tried.some(({ host, port }) => each.host === host && each.port === port),
    );
    const next = client === null ? this.inTurn(candidates) : endpointOf(client, candidates);
    return next && { host: next.host, port: next.port };
  }

  /** Whether an endpoint of a slot is healthy and in rotation. */
  takesRequests(slot: Slot, endpoint: ProxiedEndpoint): boolean {
    const found = this.find(slot, endpoint);
    return found !== undefined && found.inRotation && found.failures < FALL;
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
