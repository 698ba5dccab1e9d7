/**
 * The socket for tedious when TLS is negotiated in PRELOGIN. If the server does not encrypt, tedious 19 sends the login
 * unencrypted, even with `encrypt: true` (20.3.9 refuses). So this socket checks the server's answer to PRELOGIN before
 * tedious gets it, and sends nothing but PRELOGIN and TLS.
 */
import { Socket } from "node:net";
import { MigrationRefused } from "../refusals";

/** The server does not encrypt, or does not speak TDS: nothing of the login was sent. */
export class EncryptionRefused extends MigrationRefused {}

/** MS-TDS 2.2.3.1.1 */
const PACKET = { response: 0x04, prelogin: 0x12 };
const PACKET_HEADER = 8;
/** TLS records: change cipher spec, alert, handshake, application data; then 0x03. */
const [FIRST_RECORD, LAST_RECORD, TLS_MAJOR] = [0x14, 0x17, 0x03];
const RECORD_HEADER = 5;
/** MS-TDS 2.2.6.5: an option's number, offset and length; the server's answers to ENCRYPTION. */
const OPTION_HEAD = 5;
const OPTION = { encryption: 0x01, end: 0xff };
const ANSWER = { off: 0x00, on: 0x01, notSupported: 0x02, required: 0x03 };
/** A real answer has about 50 bytes. */
const LARGEST_ANSWER = 4096;

export class GuardedSocket extends Socket {
  private readonly outgoing = new Outgoing();
  /** The part of the answer to PRELOGIN that has arrived; null once it was accepted. */
  private answer: Buffer | null = Buffer.alloc(0);

  /** @param where the server, as messages name it. */
  constructor(private readonly where: string) {
    super();
  }

  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (this.answer === null) return super.push(chunk, encoding);
    if (chunk === null) {
      this.destroy(new Error(`${this.where} ended the connection instead of answering PRELOGIN`));
      return false;
    }
    this.answer = Buffer.concat([this.answer, chunk]);
    const answered = readAnswer(this.answer);
    if (answered === "incomplete") return true;
    if (answered !== "encrypts") return this.refuse(`${this.where} ${answered}`);
    const whole = this.answer;
    this.answer = null;
    return super.push(whole);
  }

  private refuse(why: string): false {
    this.destroy(new EncryptionRefused(`${why}: nothing of the login was sent`));
    return false;
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.maySend(chunk, done)) super._write(chunk, encoding, done);
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    if (this.maySend(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)) super._writev!(chunks, done);
  }

  private maySend(data: Buffer, done: (error?: Error | null) => void): boolean {
    if (this.outgoing.allows(data)) return true;
    done(new EncryptionRefused(`unencrypted data for ${this.where} was blocked, it was not sent`));
    return false;
  }
}

/** Checks outgoing data frame by frame, across chunks: PRELOGIN packets and TLS records. */
class Outgoing {
  private header = Buffer.alloc(0);
  private left = 0;

  /** @returns whether all these bytes may be sent; once false, nothing may be sent any more. */
  allows(data: Buffer): boolean {
    for (let at = 0; at < data.length;) {
      if (this.left === 0) {
        this.header = Buffer.concat([this.header, data.subarray(at, ++at)]);
        const length = frameLength(this.header);
        if (length === "refused") return false;
        if (length === "incomplete") continue;
        this.left = length - this.header.length;
        this.header = Buffer.alloc(0);
      } else {
        const taken = Math.min(this.left, data.length - at);
        this.left -= taken;
        at += taken;
      }
    }
    return true;
  }
}

/** @returns the bytes of the whole frame, including its header. */
function frameLength(header: Buffer): number | "incomplete" | "refused" {
  const type = header[0]!;
  if (type === PACKET.prelogin) {
    if (header.length < PACKET_HEADER) return "incomplete";
    const length = header.readUInt16BE(2);
    return length < PACKET_HEADER ? "refused" : length;
  }
  if (type < FIRST_RECORD || type > LAST_RECORD) return "refused";
  if (header.length > 1 && header[1] !== TLS_MAJOR) return "refused";
  return header.length < RECORD_HEADER ? "incomplete" : RECORD_HEADER + header.readUInt16BE(3);
}

/** @returns "encrypts", "incomplete", or what is wrong, as a text that follows the server's name. */
function readAnswer(data: Buffer): "encrypts" | "incomplete" | string {
  const noTds = "does not answer like a SQL Server (is that the port of another service?)";
  if (data[0] !== PACKET.response || data.length > LARGEST_ANSWER) return noTds;
  if (data.length < PACKET_HEADER) return "incomplete";
  const length = data.readUInt16BE(2);
  if (length < PACKET_HEADER || length > LARGEST_ANSWER) return noTds;
  if (data.length < length) return "incomplete";
  const answer = encryptionOption(data.subarray(PACKET_HEADER, length));
  if (answer === ANSWER.on || answer === ANSWER.required) return "encrypts";
  if (answer === ANSWER.notSupported) return "does not encrypt (its PRELOGIN has ENCRYPT_NOT_SUP)";
  if (answer === ANSWER.off) return "does not encrypt (its PRELOGIN has ENCRYPT_OFF)";
  return noTds;
}

function encryptionOption(payload: Buffer): number | undefined {
  for (let at = 0; at + OPTION_HEAD <= payload.length && payload[at] !== OPTION.end; at += OPTION_HEAD) {
    if (payload[at] !== OPTION.encryption) continue;
    return payload.readUInt16BE(at + 3) === 1 ? payload[payload.readUInt16BE(at + 1)] : undefined;
  }
  return undefined;
}
