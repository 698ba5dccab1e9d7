/**
 * An agent whose connections fail over to another endpoint if one is refused. A request is written only after the
 * connection is made, so nothing is sent twice, and failover is safe for a POST too.
 */
import { Agent } from "node:http";
import type { ClientRequestArgs } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ProxiedEndpoint } from "./endpoints";

/** @returns the endpoint that takes over from one that refused; undefined if none is left. */
export type Failover = (refused: ProxiedEndpoint) => ProxiedEndpoint | undefined;

export class FailoverAgent extends Agent {
  /** Connections to another endpoint than the one they are pooled for: used once. */
  private readonly failedOver = new WeakSet<Duplex>();

  constructor(private readonly failover: Failover) {
    super({ keepAlive: true });
  }

  override createConnection(
    options: ClientRequestArgs,
    connected?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const first = { host: options.host ?? "127.0.0.1", port: Number(options.port) };
    const attempt = (endpoint: ProxiedEndpoint): void => {
      const socket: Socket = connect(endpoint);
      const refused = (error: Error): void => {
        const next = this.failover(endpoint);
        if (next === undefined) connected?.(error, socket);
        else attempt(next);
      };
      socket.once("error", refused);
      socket.once("connect", () => {
        socket.off("error", refused);
        if (endpoint !== first) this.failedOver.add(socket);
        connected?.(null, socket);
      });
    };
    attempt(first);
    return undefined;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    // Node uses the result, which its types lack.
    return !this.failedOver.has(socket) && (super.keepSocketAlive(socket) as unknown as boolean);
  }
}
