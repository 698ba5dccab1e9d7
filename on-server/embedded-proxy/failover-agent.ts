/**
 * An agent whose connections fail over to another endpoint if one refuses or does not accept. Nothing is sent twice, so
 * failover is safe for a POST too.
 */
import type { Duplex } from "node:stream";
import type { ProxiedEndpoint } from "./endpoints";
import { InstanceAgent } from "./instance-agent";
import type { AgentOptions, Connected } from "./instance-agent";
import { connectTo } from "./instance-connection";

/** @returns the endpoint that takes over from one that can't be reached; undefined if none is left. */
export type Failover = (unreachable: ProxiedEndpoint) => ProxiedEndpoint | undefined;

export class FailoverAgent extends InstanceAgent {
  /** Connections to another endpoint than the one they are pooled for: used once. */
  private readonly failedOver = new WeakSet<Duplex>();

  /** @param begin returns the failover of the request that is being sent. */
  constructor(
    options: AgentOptions,
    private readonly begin: () => Failover,
  ) {
    super(options);
  }

  protected override connect(first: ProxiedEndpoint, connected: Connected): void {
    const failover = this.begin();
    const attempt = (endpoint: ProxiedEndpoint): void =>
      connectTo(endpoint, (error, socket) => {
        const next = error && failover(endpoint);
        if (next) return attempt(next);
        if (error === null && endpoint !== first) this.failedOver.add(socket);
        return connected(error, socket);
      });
    attempt(first);
  }

  override keepSocketAlive(socket: Duplex): boolean {
    // Node uses the result, which its types lack.
    return !this.failedOver.has(socket) && (super.keepSocketAlive(socket) as unknown as boolean);
  }
}
