/** TDS packets (MS-TDS 2.2.3): each has a header of eight bytes; one or more make a message. */
import { MalformedTds } from "./bytes";

export const PacketType = {
  batch: 0x01,
  rpc: 0x03,
  response: 0x04,
  attention: 0x06,
  transactionManager: 0x0e,
  login7: 0x10,
  prelogin: 0x12,
} as const;

const HEADER = 8;
const STATUS = { endOfMessage: 0x01, ignore: 0x02, resetConnection: 0x08, resetKeepingTransaction: 0x10 };

export interface Message {
  readonly type: number;
  readonly data: Buffer;
  /** The client cancelled the message before its end: it must not be executed. */
  readonly ignore: boolean;
  /** The client takes the connection from a pool and requests a fresh session. */
  readonly reset: boolean;
}

/** Joins packets to messages, independent of the network's chunks. */
export class MessageReader {
  private buffered = Buffer.alloc(0);
  private parts: Buffer[] = [];
  private flags = 0;

  /**
   * @returns the messages that these bytes complete.
   * @throws MalformedTds if a packet is shorter than its header.
   */
  take(chunk: Buffer): Message[] {
    this.buffered = Buffer.concat([this.buffered, chunk]);
    const complete: Message[] = [];
    while (this.buffered.length >= HEADER) {
      const length = this.buffered.readUInt16BE(2);
      if (length < HEADER) throw new MalformedTds(`a packet of ${length} bytes`);
      if (this.buffered.length < length) break;
      const [type, status] = [this.buffered[0]!, this.buffered[1]!];
      this.parts.push(this.buffered.subarray(HEADER, length));
      this.flags |= status;
      this.buffered = this.buffered.subarray(length);
      if ((status & STATUS.endOfMessage) === 0) continue;
      complete.push({
        type,
        data: Buffer.concat(this.parts),
        ignore: (this.flags & STATUS.ignore) !== 0,
        reset: (this.flags & (STATUS.resetConnection | STATUS.resetKeepingTransaction)) !== 0,
      });
      this.parts = [];
      this.flags = 0;
    }
    return complete;
  }

  /** The bytes after the last complete packet: TLS records, once the connection changed to TLS. */
  rest(): Buffer {
    const rest = this.buffered;
    this.buffered = Buffer.alloc(0);
    return rest;
  }
}

/**
 * One message as packets.
 * @param packetSize the size of a whole packet from LOGIN7, in bytes; 4096 before.
 */
export function packets(type: number, data: Buffer, packetSize = 4096): Buffer[] {
  const room = packetSize - HEADER;
  const count = Math.max(1, Math.ceil(data.length / room));
  return Array.from({ length: count }, (_, index) => {
    const body = data.subarray(index * room, (index + 1) * room);
    const header = Buffer.alloc(HEADER);
    header.writeUInt8(type, 0);
    header.writeUInt8(index === count - 1 ? STATUS.endOfMessage : 0, 1);
    header.writeUInt16BE(HEADER + body.length, 2);
    header.writeUInt8((index + 1) & 0xff, 6);
    return Buffer.concat([header, body]);
  });
}
