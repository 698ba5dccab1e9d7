/** A real blob service on this machine, with an account of its own; and a gate before it that holds uploads half way. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { BlobServiceClient } from "@azure/storage-blob";
import type { ContainerClient } from "@azure/storage-blob";
import { freePort } from "../../../development/testbed/ports";

const PROGRAM = require.resolve("azurite/dist/src/blob/main");
const ACCOUNT = "artifacts";

export class Azurite {
  private constructor(
    private readonly child: ChildProcess,
    private readonly port: number,
    private readonly key: string,
  ) {}

  static async start(): Promise<Azurite> {
    const key = randomBytes(64).toString("base64");
    const port = await freePort();
    const options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"];
    const child = spawn(process.execPath, [PROGRAM, ...options, "--blobPort", String(port)], {
      env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${key}` },
      stdio: "ignore",
    });
    while (!(await accepts(port))) {
      if (child.exitCode !== null) throw new Error(`azurite ended with exit code ${child.exitCode}`);
      await pause(25);
    }
    return new Azurite(child, port, key);
  }

  /** @param port of the gate, where there is one. */
  connectionString(port = this.port, key = this.key): string {
    return Object.entries({
      DefaultEndpointsProtocol: "http",
      AccountName: ACCOUNT,
      AccountKey: key,
      BlobEndpoint: `http://127.0.0.1:${port}/${ACCOUNT}`,
    })
      .map(([name, value]) => `${name}=${value}`)
      .join(";");
  }

  get container(): ContainerClient {
    return BlobServiceClient.fromConnectionString(this.connectionString()).getContainerClient("releases");
  }

  /** As base makes it. */
  async empty(): Promise<void> {
    await this.container.deleteIfExists();
    await this.container.create();
  }

  /** With what is not committed yet. */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.container.listBlobsFlat({ includeUncommitedBlobs: true }))
      names.push(name);
    return names;
  }

  /** Forwards everything, but holds blocks from the second on until it is closed. */
  async gate(): Promise<Gate> {
    const server = createServer((asked, answer) => {
      if (asked.method === "PUT" && /[?&]comp=block(&|$)/.test(asked.url ?? "") && (gate.blocks += 1) > 1) {
        asked.resume();
        return;
      }
      const { method, headers, url: path } = asked;
      const forwarded = request({ host: "127.0.0.1", port: this.port, method, headers, path });
      forwarded.on("response", (response: IncomingMessage) => {
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      });
      // Whoever was stopped in the middle of it is no error here.
      forwarded.on("error", () => answer.destroy());
      asked.pipe(forwarded);
    });
    const gate = new Gate(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return gate;
  }

  async end(): Promise<void> {
    this.child.kill("SIGKILL");
    await once(this.child, "close");
  }
}

export class Gate {
  /** That somebody wanted to send. */
  blocks = 0;

  constructor(private readonly server: Server) {}

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const answer = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "error").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return answer;
}
