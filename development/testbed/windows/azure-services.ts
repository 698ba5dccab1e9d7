/** What a Windows server in Azure asks: artifacts by https, Key Vault (also by https), and the machine's metadata service. */
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { selfSignedCertificate } from "../tds-server/certificate";

const TOKEN = { status: 200, text: JSON.stringify({ access_token: "token-of-the-identity" }) };

export class AzureServices {
  /** By their path, with a leading slash. */
  readonly artifacts = new Map<string, Buffer>();
  readonly secrets = new Map<string, string>();
  /** Answers for artifacts instead of `artifacts`. */
  instead: RequestListener | undefined;
  /** The answer of the metadata service. */
  token = TOKEN;

  private constructor(
    readonly certificate: string,
    private readonly https: Server,
    private readonly metadata: Server,
  ) {}

  static async start(): Promise<AzureServices> {
    const { certificate, key } = selfSignedCertificate();
    const https = createHttpsServer({ cert: certificate, key });
    const metadata = createServer();
    const services = new AzureServices(certificate, https, metadata);
    https.on("request", services.serve);
    metadata.on("request", (_request, response) => {
      response.writeHead(services.token.status).end(services.token.text);
    });
    for (const server of [https, metadata])
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return services;
  }

  get httpsPort(): number {
    return (this.https.address() as AddressInfo).port;
  }

  get metadataPort(): number {
    return (this.metadata.address() as AddressInfo).port;
  }

  /** As they were at the start. */
  reset(): void {
    this.artifacts.clear();
    this.secrets.clear();
    this.instead = undefined;
    this.token = TOKEN;
  }

  close(): void {
    for (const server of [this.https, this.metadata]) {
      server.closeAllConnections();
      server.close();
    }
  }

  private readonly serve: RequestListener = (request, response) => {
    const path = request.url!.split("?")[0]!;
    const secret = this.secrets.get(path.replace("/secrets/", ""));
    const artifact = this.artifacts.get(path);
    if (path.startsWith("/secrets/")) {
      if (secret === undefined) response.writeHead(404).end();
      else response.end(JSON.stringify({ value: secret }));
    } else if (this.instead !== undefined) this.instead(request, response);
    else if (artifact === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-length": artifact.length }).end(artifact);
  };
}
