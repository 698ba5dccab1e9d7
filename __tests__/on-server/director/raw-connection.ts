/** A client that says what it is told, byte by byte, and reads no faster than it is told. */
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export class RawConnection {
  private received = Buffer.alloc(0);

  private wake: () => void = () => undefined;

  private constructor(private readonly socket: Socket) {
    // "readable" also means that nothing is read that nobody asked for.
    for (const event of ["readable", "end", "close"]) socket.on(event, () => this.wake());
  }

  /** @param from the client's address, one of 127.0.0.0/8. */
  static async open(port: number, from = "127.0.0.1"): Promise<RawConnection> {
    const socket = connect({ port, host: "127.0.0.1", localAddress: from });
    socket.on("error", () => socket.destroy());
    await once(socket, "connect");
    return new RawConnection(socket);
  }

  /** Lines of a head, and the empty one behind them. */
  ask(...lines: string[]): void {
    this.send([...lines, "", ""].join("\r\n"));
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** The next answer, with as much body as its head says. */
  async answer(hasBody = true): Promise<RawAnswer> {
    const head = String(await this.read(() => endOf(this.received.indexOf("\r\n\r\n"))));
    const [statusLine = "", ...lines] = head.trimEnd().split("\r\n");
    const headers = new Map(
      lines.map((line) => [line.split(":")[0]!.toLowerCase(), line.replace(/^[^:]*:\s*/, "")]),
    );
    const length = hasBody ? Number(headers.get("content-length") ?? 0) : 0;
    const body = (await this.bytes(length)).toString();
    return { status: Number(statusLine.split(" ")[1]), headers, body };
  }

  bytes(length: number): Promise<Buffer> {
    return this.read(() => (this.received.length >= length ? length : undefined));
  }

  /** Whether the other side has ended the connection, and said no more than was read. */
  async ended(): Promise<boolean> {
    while (!this.socket.readableEnded && !this.socket.destroyed) await this.more();
    return this.received.length === 0;
  }

  /** Waits until the other side has ended the connection, whatever it sent. */
  async closed(): Promise<void> {
    while (!this.socket.readableEnded && !this.socket.destroyed) await this.more();
  }

  close(): void {
    this.socket.destroy();
  }

  private async read(end: () => number | undefined): Promise<Buffer> {
    for (;;) {
      const length = end();
      if (length !== undefined) {
        const bytes = this.received.subarray(0, length);
        this.received = this.received.subarray(length);
        return bytes;
      }
      if (this.socket.readableEnded || this.socket.destroyed)
        throw new Error(
          `the connection ended after ${JSON.stringify(this.received.toString("latin1", 0, 200))}`,
        );
      await this.more();
    }
  }

  private async more(): Promise<void> {
    const chunk = this.socket.read() as Buffer | null;
    if (chunk !== null) this.received = Buffer.concat([this.received, chunk]);
    else if (!this.socket.destroyed) await new Promise<void>((resolve) => (this.wake = resolve));
  }
}

/** Where a head ends, once its empty line has come. */
function endOf(emptyLine: number): number | undefined {
  return emptyLine === -1 ? undefined : emptyLine + 4;
}
