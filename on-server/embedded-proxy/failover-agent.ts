/**
 * Connections that another endpoint takes over where nobody listens. The request is written only once it has a
 * connection, so nothing is sent twice, and a POST may be taken over, too.
 */
import { Agent } from "node:http";
import type { ClientRequestArgs } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ProxiedEndpoint } from "./endpoints";

/** @returns who is asked instead of an endpoint that refused; undefined where there is nobody left. */
export type StandIn = (refused: ProxiedEndpoint) => ProxiedEndpoint | undefined;

export class FailoverAgent extends Agent {
  /** Connections that are kept for an endpoint, but lead to another one, are used once. */
  private readonly lent = new WeakSet<Duplex>();

  constructor(private readonly standIn: StandIn) {
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
        const next = this.standIn(endpoint);
        if (next === undefined) connected?.(error, socket);
        else attempt(next);
      };
      socket.once("error", refused);
      socket.once("connect", () => {
        socket.off("error", refused);
        if (endpoint !== first) this.lent.add(socket);
        connected?.(null, socket);
      });
    };
    attempt(first);
    return undefined;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    // Node looks at the answer, its types don't know that there is one.
    return !this.lent.has(socket) && (super.keepSocketAlive(socket) as unknown as boolean);
  }
}
