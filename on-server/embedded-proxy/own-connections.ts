/**
 * Connections to instances that may be authenticated for a user (NTLM, Negotiate) belong to that user's connection alone: they
 * are never pooled with others, and end with it. A sign-in takes several requests, which go to one server.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { authenticatesConnection } from "../../configuration/connection-authentication";
import type { PerSlot, Slot } from "../../release/slot";
import type { ProxiedEndpoint } from "./endpoints";
import type { FailoverAgent } from "./failover-agent";

interface Own {
  readonly agents: PerSlot<FailoverAgent>;
  /** Where the last request went, by slot. */
  readonly last: Map<Slot, ProxiedEndpoint>;
}

export class OwnConnections {
  private readonly ofClients = new WeakMap<Socket, Own>();

  constructor(private readonly newAgent: (slot: Slot) => FailoverAgent) {}

  /** Where a client's requests have to go on, if they can; undefined if its connections are not its own. */
  endpointOf({ socket }: IncomingMessage, slot: Slot): ProxiedEndpoint | undefined {
    return this.ofClients.get(socket)?.last.get(slot);
  }

  /** @returns the agent of a request that authenticates its connection, and of all that follow it; null for others. */
  agentFor(
    { socket, headers }: IncomingMessage,
    slot: Slot,
    endpoint: ProxiedEndpoint,
  ): FailoverAgent | null {
    let own = this.ofClients.get(socket);
    if (own === undefined && authenticatesConnection(headers.authorization)) {
      own = { agents: { blue: this.newAgent("blue"), green: this.newAgent("green") }, last: new Map() };
      this.ofClients.set(socket, own);
      const { agents } = own;
      socket.once("close", () => {
        for (const agent of Object.values(agents)) agent.destroy();
      });
    }
    own?.last.set(slot, endpoint);
    return own?.agents[slot] ?? null;
  }
}
