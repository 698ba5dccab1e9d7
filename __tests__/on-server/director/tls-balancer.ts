/** A balancer in front of a proxy, at which users' TLS ends: it reports their address and scheme in X-Forwarded headers. */
import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";

const HOST = "127.0.0.1";

export class TlsBalancer {
  private constructor(private readonly server: Server) {}

  static async inFrontOf(proxyPort: number, certificate: string): Promise<TlsBalancer> {
    const server = createServer({ key: certificate, cert: certificate });
    server.on("request", (asked, answer) => {
      const { method, url } = asked;
      const sent = request({ host: HOST, port: proxyPort, method, path: url, headers: forwarded(asked) });
      sent.on("response", (response) => {
        answer.writeHead(response.statusCode!, response.rawHeaders);
        response.pipe(answer);
      });
      sent.on("error", () => answer.destroy());
      asked.pipe(sent);
    });
    server.on("upgrade", (asked: IncomingMessage, client: Socket) => {
      const proxy = connect(proxyPort, HOST);
      const lines = Object.entries(forwarded(asked)).map(([name, value]) => `${name}: ${String(value)}`);
      proxy.write([`${asked.method} ${asked.url} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
      for (const [from, to] of [
        [client, proxy],
        [proxy, client],
      ] as const)
        from.on("error", () => to.destroy()).pipe(to);
    });
    server.listen(0, HOST);
    await once(server, "listening");
    return new TlsBalancer(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

function forwarded({ headers, socket }: IncomingMessage): NodeJS.Dict<string | string[]> {
  return { ...headers, "x-forwarded-for": socket.remoteAddress, "x-forwarded-proto": "https" };
}
