/**
 * A server that implements TDS as SQL Server does, to test clients: PRELOGIN, TLS, LOGIN7, batches, procedure calls,
 * transactions, attention. It does not interpret SQL: a session answers each request. Written from MS-TDS, and tested with
 * tedious and Microsoft.Data.SqlClient.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { selfSignedCertificate } from "./certificate";
import type { ServerCertificate } from "./certificate";
import { Connection } from "./connection";
import type { ConnectionOptions } from "./connection";
import { negotiate } from "./negotiation";
import type { Negotiated } from "./negotiation";
import type { Encryption } from "./prelogin";
import { reset } from "../reset";

export interface TdsServerOptions extends Pick<ConnectionOptions, "session"> {
  /**
   * The answer to PRELOGIN. After `off` and `notSupported` the login comes without TLS, if the client allows it.
   * @default "required"
   */
  readonly encryption?: Encryption;
  /**
   * Whether clients may begin with TLS (TDS 8.0). Otherwise a ClientHello ends the connection, as in SQL Server 2019.
   * @default false
   */
  readonly strict?: boolean;
  /** Refuses a login with these errors; null accepts it. @default every login is accepted */
  readonly login?: ConnectionOptions["login"];
  /** Redirects a client after its login, as Azure SQL's gateway does. @default none */
  readonly redirect?: ConnectionOptions["redirect"];
  /** @default 0, a free port */
  readonly port?: number;
  /** @default a new one; several servers may share one */
  readonly certificate?: ServerCertificate;
}

export class TdsServer {
  /** Protocol errors of clients and errors of sessions: empty in a passing test. */
  readonly faults: Error[] = [];
  private readonly sockets = new Set<Socket>();
  private accepted = 0;

  private constructor(
    private readonly server: Server,
    readonly port: number,
    /** PEM of the certificate; clients verify the server with it. */
    readonly certificate: string,
  ) {}

  /** Listens on loopback. */
  static async start(options: TdsServerOptions): Promise<TdsServer> {
    const certificate = options.certificate ?? selfSignedCertificate();
    const listener = createServer({ allowHalfOpen: true, noDelay: true });
    const how = {
      encryption: options.encryption ?? "required",
      strict: options.strict ?? false,
      certificate,
    };
    const connection = { login: () => null, redirect: () => null, ...options };
    listener.listen(options.port ?? 0, "127.0.0.1");
    await once(listener, "listening");
    const { port } = listener.address() as AddressInfo;
    const server = new TdsServer(listener, port, certificate.certificate);
    listener.on("connection", (socket) => {
      const id = ++server.accepted;
      server.sockets.add(socket);
      socket.once("close", () => server.sockets.delete(socket));
      socket.on("error", () => undefined);
      negotiate(socket, how).then(
        (negotiated: Negotiated) =>
          new Connection(id, socket, negotiated, connection, (error) => server.faults.push(error)),
        () => socket.destroy(),
      );
    });
    return server;
  }

  /** How many connections were accepted since the start. */
  get connections(): number {
    return this.accepted;
  }

  /** Ends all connections, as a killed server (`rst`) or a shutdown (`fin`) does; accepts new ones. */
  disconnectAll(how: "fin" | "rst"): void {
    for (const socket of this.sockets) {
      if (how === "rst") reset(socket);
      else socket.end();
    }
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, "close");
    this.server.close();
    this.disconnectAll("rst");
    await closed;
  }
}
