/**
 * Holds requests while a site is recreated: an agent whose connections wait until an instance listens. A request is
 * written only after the connection is made, so nothing is sent twice.
 */
import { Agent } from "node:http";
import type { ClientRequestArgs } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

const RETRY_MS = 100;
const HOLD_LIMIT_MS = 120_000;

export class HeldAgent extends Agent {
  constructor() {
    super({ keepAlive: false });
  }

  override createConnection(
    options: ClientRequestArgs,
    connected?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const deadline = Date.now() + HOLD_LIMIT_MS;
    const attempt = (): void => {
      const socket: Socket = connect({ host: options.host ?? "127.0.0.1", port: Number(options.port) });
      const refused = (error: Error): void => {
        if (Date.now() > deadline) connected?.(error, socket);
        else setTimeout(attempt, RETRY_MS);
      };
      socket.once("error", refused);
      socket.once("connect", () => {
        socket.off("error", refused);
        connected?.(null, socket);
      });
    };
    attempt();
    return undefined;
  }
}
