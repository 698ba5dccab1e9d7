/**
 * The network between the project and its PostgreSQL: a TCP proxy that all new connections go through, and whose
 * connections can be cut as a broken network cuts them, with RST on both sides. Who was connected before is not touched.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { reset } from "../testbed/reset";

/** What PostgreSQL answers to a COMMIT: CommandComplete, its length, its tag. */
const COMMITTED = Buffer.from("C\0\0\0\x0bCOMMIT\0", "latin1");

export class SeveredLink {
  private readonly sockets = new Set<Socket>();
  private isCut = false;
  private onCommit: (() => Promise<boolean>) | undefined;

  private constructor(
    private readonly server: Server,
    private readonly urlFile: string,
    /** The database's own address, past the link. */
    readonly direct: string,
  ) {
    server.on("connection", (client: Socket) => this.join(client));
  }

  /** @param urlFile the file with the database's address, which names this link until {@link mend}. */
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
   * Stops what is under way where a transaction was committed and its answer not passed on: nothing runs then.
   * @param isMeant whether it is this one; all others are passed on.
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

  /** Every connection now, and each that comes. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) reset(socket);
  }

  /** The address is the database's own again. Can be called again. */
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
