/**
 * A server that speaks TDS as SQL Server does, for clients that are tested without one: PRELOGIN, TLS, LOGIN7, batches, procedure
 * calls, transactions, attention. What SQL means is not its business: a session is given each request and says what to answer.
 * Written from MS-TDS, and proved with tedious and Microsoft.Data.SqlClient.
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
   * What PRELOGIN answers. After `off` and `notSupported` the login comes without TLS, if the client lets that happen.
   * @default "required"
   */
  readonly encryption?: Encryption;
  /**
   * Whether a client may begin with TLS (TDS 8.0). Otherwise its ClientHello ends the connection, as SQL Server 2019 does.
   * @default false
   */
  readonly strict?: boolean;
  /** Refuses a login with these errors; null accepts it. @default every login is accepted */
  readonly login?: ConnectionOptions["login"];
  /** Sends a client on to another server once it has logged in, as Azure SQL's gateway does. @default no client is */
  readonly redirect?: ConnectionOptions["redirect"];
  /** @default 0, a free port */
  readonly port?: number;
  /** @default a new one; several servers may share one */
  readonly certificate?: ServerCertificate;
}

export class TdsServer {
  /** What clients sent that no client should, and what sessions failed with: empty in a test that went well. */
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

  /** Connections that were accepted since the start, however they went on. */
  get connections(): number {
    return this.accepted;
  }

  /** Ends every connection, as a server does that is killed (`rst`) or shut down (`fin`); new ones are accepted. */
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
