/** The slots' endpoints as the embedded proxy sees them: health by its own checks, requests in turn. */
import { get } from "node:http";
import type { EmbeddedProxySettings } from "../director/drivers/embedded/embedded-settings";
import { SLOTS } from "../../release/slot";
import type { Slot } from "../../release/slot";

const CHECK_INTERVAL_MS = 300;
const CHECK_TIMEOUT_MS = 5_000;
const FALL = 3;

export interface ProxiedEndpoint {
  readonly host: string;
  readonly port: number;
}

interface Watched extends ProxiedEndpoint {
  failures: number;
}

export class Endpoints {
  private readonly watched: Record<Slot, Watched[]>;
  private turn = 0;

  constructor(private readonly settings: EmbeddedProxySettings) {
    const watch = (slot: Slot) =>
      settings.endpoints[slot].map(({ host, port }) => ({ host, port, failures: FALL }));
    this.watched = { blue: watch("blue"), green: watch("green") };
  }

  startChecks(): void {
    for (const slot of SLOTS) for (const endpoint of this.watched[slot]) this.check(endpoint);
  }

  healthy(slot: Slot): number {
    return this.watched[slot].filter((endpoint) => endpoint.failures < FALL).length;
  }

  /** The next endpoint of a slot, a healthy one where there is any. */
  next(slot: Slot): ProxiedEndpoint | undefined {
    const all = this.watched[slot];
    const healthy = all.filter((endpoint) => endpoint.failures < FALL);
    const candidates = healthy.length > 0 ? healthy : all;
    this.turn = (this.turn + 1) % 1_000_000;
    return candidates[this.turn % candidates.length];
  }

  private check(endpoint: Watched): void {
    const { path, host, status } = this.settings.check;
    const settle = (passed: boolean): void => {
      endpoint.failures = passed ? 0 : Math.min(FALL, endpoint.failures + 1);
      setTimeout(() => this.check(endpoint), CHECK_INTERVAL_MS).unref();
    };
    const request = get(
      { ...endpoint, path, headers: { host }, agent: false, timeout: CHECK_TIMEOUT_MS },
      (response) => {
        response.resume();
        settle(response.statusCode === status);
      },
    );
    request.on("timeout", () => request.destroy(new Error("timed out")));
    request.on("error", () => settle(false));
  }
}
