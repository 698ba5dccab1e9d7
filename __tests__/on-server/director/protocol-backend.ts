/** An instance that knows more of HTTP than a page: WebSockets, uploads, downloads, events, and answers without a body. */
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Slot } from "../../../release/slot";
import { Backend } from "./proxy-under-test";

export const LARGE = Buffer.alloc(16 * 1024 * 1024, "sixteen bytes...");
export const LONG_HEADER = "h".repeat(6 * 1024);

const TEXT = 0x81;
const CLOSE = 0x88;

/** What runs, in both slots: by the id that the client gave it, where it runs and how it is let go. */
export class Running {
  private readonly slots = new Map<string, Slot>();
  private readonly waiting = new Map<string, () => void>();

  begun(id: string): Slot | undefined {
    return this.slots.get(id);
  }

  /** Lets requests that wait end. */
  finish(id: string): void {
    this.waiting.get(id)?.();
  }

  begin(id: string, slot: Slot): void {
    this.slots.set(id, slot);
  }

  untilFinished(id: string): Promise<void> {
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }
}

/**
 * Paths: `/page`, `/none` (204), `/unchanged` (304), `/headers`, `/upload`, `/large`, `/events`, and a WebSocket on any.
 * With `?id=` it can be asked for; with `&wait` it answers when it is let go.
 */
export class ProtocolBackend extends Backend {
  readonly running: Running;

  constructor(slot: Slot, port: number, running: Running) {
    super(slot, port);
    this.running = running;
  }

  protected override async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(asked.url!, "http://any");
    const id = searchParams.get("id");
    if (id !== null) this.running.begin(id, this.slot);
    response.setHeader("x-slot", this.slot);
    if (pathname === "/upload") return this.digest(asked, response);
    if (pathname === "/events") return this.events(id!, response);
    if (searchParams.has("wait")) await this.running.untilFinished(id!);
    if (pathname === "/large") return void response.setHeader("content-length", LARGE.length).end(LARGE);
    if (pathname === "/none") return void response.writeHead(204).end();
    if (pathname === "/unchanged") return void response.writeHead(304, { etag: '"same"' }).end();
    if (pathname === "/headers") {
      response.setHeader("x-long", LONG_HEADER);
      response.setHeader("x-seen", String(asked.headers["x-long"]?.length));
    }
    const page = `page of ${this.slot}`;
    response.setHeader("content-length", page.length).end(page);
  }

  /** Sends back what each frame says: those of up to 125 bytes, as the tests send them. */
  protected override upgrade(asked: IncomingMessage, socket: Duplex): void {
    this.acceptUpgrade(asked, socket);
    let received = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 6 && received.length >= 6 + (received[1]! & 0x7f)) {
        const [head, length] = [received[0]!, received[1]! & 0x7f];
        const mask = received.subarray(2, 6);
        const text = received.subarray(6, 6 + length).map((byte, index) => byte ^ mask[index % 4]!);
        received = received.subarray(6 + length);
        const said = head === TEXT ? Buffer.from(`${this.slot}: ${Buffer.from(text).toString()}`) : text;
        socket.write(Buffer.concat([Buffer.from([head, said.length]), said]));
        if (head === CLOSE) socket.end();
      }
    });
  }

  private async digest(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const digest = createHash("sha256");
    for await (const chunk of asked) digest.update(chunk as Buffer);
    response.end(digest.digest("hex"));
  }

  private async events(id: string, response: ServerResponse): Promise<void> {
    response.setHeader("content-type", "text/event-stream");
    response.write("data: first\n\n");
    await this.running.untilFinished(id);
    response.end("data: last\n\n");
  }
}
