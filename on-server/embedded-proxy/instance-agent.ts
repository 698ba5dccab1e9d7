/** What the agents for instances have in common: a request is written only after the connection is made. */
import { Agent } from "node:http";
import type { ClientRequest, ClientRequestArgs } from "node:http";
import type { Duplex } from "node:stream";
import type { ProxiedEndpoint } from "./endpoints";
import type { Unreachable } from "./instance-connection";

/** Instances close idle connections, and a request must not meet that. A limit that they announce is respected, too. */
const IDLE_MS = 1_500;

export interface AgentOptions {
  /** Whether connections may be used again. */
  readonly keepAlive: boolean;
  /** How many connections at the same time, for each endpoint. @default any number */
  readonly maxSockets?: number;
  /** The size limit of an answer's headers, in bytes. */
  readonly headerBytes: number;
}

export type Connected = (error: Unreachable | null, socket: Duplex) => void;

export abstract class InstanceAgent extends Agent {
  constructor(private readonly limits: AgentOptions) {
    super({ keepAlive: limits.keepAlive, maxSockets: limits.maxSockets ?? Infinity, timeout: IDLE_MS });
  }

  addRequest(request: ClientRequest, options: ClientRequestArgs): void {
    // An option of requests, which the proxy library does not pass on. Node's types lack it, and this method.
    Object.assign(request, { maxHeaderSize: this.limits.headerBytes });
    (Agent.prototype as unknown as InstanceAgent).addRequest.call(this, request, options);
  }

  override createConnection(
    { host, port }: ClientRequestArgs,
    connected?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    this.connect({ host: host ?? "127.0.0.1", port: Number(port) }, (error, socket) =>
      connected?.(error, socket),
    );
    return undefined;
  }

  protected abstract connect(endpoint: ProxiedEndpoint, connected: Connected): void;
}
