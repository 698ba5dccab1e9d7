/**
 * The stream under TLS that PRELOGIN negotiated (MS-TDS 2.2.6.5): the handshake's records are in packets of type PRELOGIN,
 * later ones are bare. TLS 1.2 shows the record type; 1.3 hides it, and is not used this way.
 */
import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { packets, PacketType } from "./packets";

const HEADER = 8;
const RECORD_HEADER = 5;
const APPLICATION_DATA = 0x17;

export class PreloginTls extends Duplex {
  private incoming = Buffer.alloc(0);
  private outgoing = Buffer.alloc(0);
  /** Whether the bytes of each direction are in packets. */
  private received: "wrapped" | "bare" = "wrapped";
  private sent: "wrapped" | "bare" = "wrapped";

  constructor(private readonly socket: Socket) {
    super();
    socket.on("data", (chunk: Buffer) => this.unwrap(chunk));
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  private unwrap(chunk: Buffer): void {
    this.incoming = Buffer.concat([this.incoming, chunk]);
    while (this.received === "wrapped" && this.incoming.length > 0) {
      if (this.incoming[0] !== PacketType.prelogin) {
        this.received = "bare";
        break;
      }
      const length = this.incoming.length < HEADER ? Infinity : this.incoming.readUInt16BE(2);
      if (this.incoming.length < length) return;
      this.deliver(this.incoming.subarray(HEADER, length));
      this.incoming = this.incoming.subarray(length);
    }
    if (this.incoming.length > 0) this.deliver(this.incoming);
    this.incoming = Buffer.alloc(0);
  }

  private deliver(data: Buffer): void {
    if (!this.push(data)) this.socket.pause();
  }

  override _read(): void {
    this.socket.resume();
  }

  /** Everything that TLS writes at once is one message: the client answers each with one message. */
  override _writev(
    chunks: readonly { readonly chunk: Buffer }[],
    written: (error?: Error | null) => void,
  ): void {
    this.outgoing = Buffer.concat([this.outgoing, ...chunks.map(({ chunk }) => chunk)]);
    const wrapped = this.sent === "wrapped" ? this.handshakeBytes() : 0;
    const handshake = this.outgoing.subarray(0, wrapped);
    const bare = this.sent === "bare" ? this.outgoing.subarray(wrapped) : Buffer.alloc(0);
    this.outgoing = this.outgoing.subarray(wrapped + bare.length);
    const frames = handshake.length > 0 ? packets(PacketType.prelogin, handshake) : [];
    const data = Buffer.concat([...frames, bare]);
    if (data.length === 0) written();
    else this.socket.write(data, (error) => written(error));
  }

  /** Counts complete records before the first one with application data, and records where that begins. */
  private handshakeBytes(): number {
    let end = 0;
    while (this.outgoing.length >= end + RECORD_HEADER) {
      if (this.outgoing[end] === APPLICATION_DATA) {
        this.sent = "bare";
        break;
      }
      const next = end + RECORD_HEADER + this.outgoing.readUInt16BE(end + 3);
      if (next > this.outgoing.length) break;
      end = next;
    }
    return end;
  }

  override _final(finished: (error?: Error | null) => void): void {
    this.socket.end(() => finished());
  }

  override _destroy(error: Error | null, destroyed: (error?: Error | null) => void): void {
    this.socket.destroy();
    destroyed(error);
  }
}
