/** From the first byte to the stream of LOGIN7: TLS first (TDS 8.0), or PRELOGIN and then TLS or none. */
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext, TLSSocket } from "node:tls";
import type { ServerCertificate } from "./certificate";
import { MalformedTds } from "./bytes";
import { MessageReader, packets, PacketType } from "./packets";
import type { Message } from "./packets";
import { preloginAnswer, readPrelogin } from "./prelogin";
import type { Encryption } from "./prelogin";
import { PreloginTls } from "./prelogin-tls";

export interface Negotiated {
  readonly stream: Duplex;
  readonly encryption: "strict" | "afterPrelogin" | "none";
}

const CLIENT_HELLO = 0x16;
const TDS_8 = "tds/8.0";

/** @throws MalformedTds, or the socket's error: close the connection. */
export async function negotiate(
  socket: Socket,
  how: { readonly encryption: Encryption; readonly strict: boolean; readonly certificate: ServerCertificate },
): Promise<Negotiated> {
  const first = await nextChunk(socket);
  socket.unshift(first);
  if (first[0] === CLIENT_HELLO) {
    if (!how.strict) throw new MalformedTds("a ClientHello, but TDS 8.0 is not supported");
    const stream = await secured(socket, how.certificate, "TLSv1.3");
    if (stream.alpnProtocol !== TDS_8) throw new MalformedTds(`a TLS client without the protocol ${TDS_8}`);
    await prelogin(stream, "notSupported"); // Its encryption option is ignored here.
    return { stream, encryption: "strict" };
  }
  await prelogin(socket, how.encryption);
  if (how.encryption === "off" || how.encryption === "notSupported")
    return { stream: socket, encryption: "none" };
  const stream = await secured(new PreloginTls(socket), how.certificate, "TLSv1.2");
  return { stream, encryption: "afterPrelogin" };
}

async function secured(
  under: Duplex,
  { certificate, key }: ServerCertificate,
  maxVersion: "TLSv1.2" | "TLSv1.3",
): Promise<TLSSocket> {
  const secureContext = createSecureContext({ cert: certificate, key, maxVersion });
  const stream = new TLSSocket(under, { isServer: true, secureContext, ALPNProtocols: [TDS_8] });
  await once(stream, "secure");
  return stream;
}

async function prelogin(stream: Duplex, encryption: Encryption): Promise<void> {
  const message = await nextMessage(stream);
  if (message.type !== PacketType.prelogin)
    throw new MalformedTds(`a message of type ${message.type} instead of PRELOGIN`);
  const { knowsFedAuth } = readPrelogin(message.data);
  for (const packet of packets(PacketType.response, preloginAnswer(encryption, knowsFedAuth)))
    stream.write(packet);
}

async function nextMessage(stream: Duplex): Promise<Message> {
  const reader = new MessageReader();
  for (;;) {
    const [message, ...more] = reader.take(await nextChunk(stream));
    if (message === undefined) continue;
    if (more.length > 0) throw new MalformedTds("more than one message instead of PRELOGIN");
    const rest = reader.rest();
    if (rest.length > 0) stream.unshift(rest);
    return message;
  }
}

/** @throws Error if the stream ends first. */
async function nextChunk(stream: Duplex): Promise<Buffer> {
  for (;;) {
    const chunk = stream.read() as Buffer | null;
    if (chunk !== null) return chunk;
    if (stream.readableEnded || stream.destroyed) throw new Error("the client disconnected");
    const waiting = new AbortController();
    const over = { signal: waiting.signal };
    try {
      await Promise.race([
        once(stream, "readable", over),
        once(stream, "end", over),
        once(stream, "close", over),
      ]);
    } finally {
      waiting.abort();
    }
  }
}
