/**
 * Splits a conversation into units: TDS packets, PostgreSQL messages, TLS records. In both protocols the client sends first,
 * and its first byte identifies the protocol. Units do not depend on how the network splits the bytes into chunks.
 */

export type Direction = "toServer" | "toClient";

/** Bytes of one unit. If they are its last ones, `ends` is the unit's name: `TDS 4`, `TLS 23`, `PostgreSQL Q`. */
export interface Piece {
  readonly bytes: Buffer;
  readonly ends: string | null;
}

interface Unit {
  readonly name: string;
  readonly length: number;
}

type Protocol = "tds" | "postgres" | "other";

const [FIRST_RECORD, LAST_RECORD, TLS_MAJOR] = [0x14, 0x17, 0x03];
const RECORD_HEADER = 5;
const TLS_HANDSHAKE = 0x16;
const TDS_PRELOGIN = 0x12;
const TDS_HEADER = 8;
/** A PostgreSQL client's first messages have no type: a length, and one of these or a version. */
const STARTUP_HEADER = 8;
const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const CANCEL_REQUEST = 80_877_102;
const TYPED_HEADER = 5;

/** One connection, both directions. */
export class Framing {
  private protocol: Protocol | null = null;
  /** Whether a PostgreSQL client has not sent its StartupMessage yet. */
  private starting = true;
  /** Whether it requested encryption: the server answers with one byte. */
  private asked = false;
  private readonly open = { toServer: new OpenUnit(), toClient: new OpenUnit() };

  split(direction: Direction, chunk: Buffer): Piece[] {
    this.protocol ??= direction === "toServer" && chunk.length > 0 ? protocolOf(chunk[0]!) : null;
    const open = this.open[direction];
    const pieces: Piece[] = [];
    for (let at = 0; at < chunk.length;) {
      const from = at;
      while (open.unit === null && at < chunk.length) {
        open.header = Buffer.concat([open.header, chunk.subarray(at, ++at)]);
        open.unit = this.unitOf(direction, open.header, chunk.length - at);
        open.left = (open.unit?.length ?? 0) - open.header.length;
      }
      if (open.unit === null) {
        pieces.push({ bytes: chunk.subarray(from), ends: null });
        break;
      }
      const taken = Math.min(open.left, chunk.length - at);
      at += taken;
      open.left -= taken;
      pieces.push({ bytes: chunk.subarray(from, at), ends: open.left === 0 ? open.unit.name : null });
      if (open.left === 0) open.next();
    }
    return pieces;
  }

  /**
   * @param behind how many bytes follow in the chunk: the rest of a chunk is one unit in an unknown protocol.
   * @returns null if more of the header is needed.
   */
  private unitOf(direction: Direction, header: Buffer, behind: number): Unit | null {
    const type = header[0]!;
    if (type >= FIRST_RECORD && type <= LAST_RECORD && this.protocol !== null) {
      if (header.length === 1) return null;
      if (header[1] === TLS_MAJOR) return record(header);
    }
    switch (this.protocol) {
      case "tds":
        if (header.length < TDS_HEADER) return null;
        return { name: `TDS ${type}`, length: Math.max(TDS_HEADER, header.readUInt16BE(2)) };
      case "postgres":
        return this.postgresUnit(direction, header);
      default:
        return { name: "bytes", length: header.length + behind };
    }
  }

  private postgresUnit(direction: Direction, header: Buffer): Unit | null {
    if (direction === "toServer" && this.starting) {
      if (header.length < STARTUP_HEADER) return null;
      const code = header.readUInt32BE(4);
      this.asked = code === SSL_REQUEST || code === GSS_REQUEST;
      this.starting = this.asked;
      const name = this.asked ? "encryption?" : code === CANCEL_REQUEST ? "cancel" : "startup";
      return { name: `PostgreSQL ${name}`, length: Math.max(STARTUP_HEADER, header.readUInt32BE(0)) };
    }
    const type = String.fromCharCode(header[0]!);
    if (direction === "toClient" && this.asked && "SGN".includes(type)) {
      this.asked = false;
      return { name: `PostgreSQL encryption: ${type}`, length: 1 };
    }
    if (header.length < TYPED_HEADER) return null;
    return { name: `PostgreSQL ${type}`, length: Math.max(TYPED_HEADER, 1 + header.readUInt32BE(1)) };
  }
}

class OpenUnit {
  header = Buffer.alloc(0);
  unit: Unit | null = null;
  left = 0;

  next(): void {
    this.header = Buffer.alloc(0);
    this.unit = null;
  }
}

/** A TDS client may begin with TLS: it sends only records, and their headers are not encrypted. */
function protocolOf(first: number): Protocol {
  if (first === TDS_PRELOGIN || first === TLS_HANDSHAKE) return "tds";
  return first === 0 ? "postgres" : "other";
}

function record(header: Buffer): Unit | null {
  if (header.length < RECORD_HEADER) return null;
  return { name: `TLS ${header[0]}`, length: RECORD_HEADER + header.readUInt16BE(3) };
}
