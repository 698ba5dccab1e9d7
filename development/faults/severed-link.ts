/**
 * The network between the project and its PostgreSQL: a TCP proxy for all new connections, which can cut them with RST on
 * both sides, as a broken network does. Earlier connections bypass it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { reset } from "../testbed/reset";

/** PostgreSQL's answer to a COMMIT: CommandComplete, its length, its tag. */
const COMMITTED = Buffer.from("C\0\0\0\x0bCOMMIT\0", "latin1");

export class SeveredLink {
  private readonly sockets = new Set<Socket>();
  private isCut = false;
  private onCommit: (() => Promise<boolean>) | undefined;

  private constructor(
    private readonly server: Server,
    private readonly urlFile: string,
    /** The database's address, without the link. */
    readonly direct: string,
  ) {
    server.on("connection", (client: Socket) => this.join(client));
  }

  /** @param urlFile the file with the database's address. Until {@link mend} it contains this link's address. */
  static async open(urlFile: string): Promise<SeveredLink> {
    const direct = readFileSync(urlFile, "utf8").trim();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const link = new SeveredLink(server, urlFile, direct);
    const url = new URL(direct);
    url.port = String((server.address() as AddressInfo).port);
    writeFileSync(urlFile, `${url.href}\n`);
    return link;
  }

  /**
   * Holds back the answer to a COMMIT: the transaction is committed, and the client does not know.
   * @param isMeant whether to hold this one; all others are passed on.
   */
  holdAfterCommit(isMeant: () => Promise<boolean>): Promise<void> {
    return new Promise((resolve) => {
      this.onCommit = async () => {
        const meant = await isMeant();
        if (meant) resolve();
        return meant;
      };
    });
  }

  /** Cuts all connections, and each new one. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) reset(socket);
  }

  /** Restores the database's address in the file. Idempotent. */
  mend(): void {
    writeFileSync(this.urlFile, `${this.direct}\n`);
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private join(client: Socket): void {
    if (this.isCut) return void reset(client);
    const { hostname, port } = new URL(this.direct);
    const database = connect(Number(port), hostname);
    for (const [socket, other] of [
      [client, database],
      [database, client],
    ] as const) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (bytes) => database.write(bytes));
    database.on("data", (bytes: Buffer) => void this.passOn(bytes, database, client));
  }

  private async passOn(bytes: Buffer, database: Socket, client: Socket): Promise<void> {
    if (this.onCommit !== undefined && bytes.includes(COMMITTED)) {
      database.pause();
      if (await this.onCommit()) return;
      database.resume();
    }
    if (!client.destroyed) client.write(bytes);
  }
}
