/** PRELOGIN (MS-TDS 2.2.6.5): the first message, which negotiates encryption. */
import { MalformedTds } from "./bytes";

const OPTION = { version: 0, encryption: 1, instance: 2, thread: 3, mars: 4, traceId: 5, fedAuthRequired: 6 };
const TERMINATOR = 0xff;
const HEAD = 5;

const ENCRYPTION = { off: 0, on: 1, notSupported: 2, required: 3 } as const;

export type Encryption = keyof typeof ENCRYPTION;

/** SQL Server 2022: 16.0.4135.4. */
const VERSION = Buffer.from([16, 0, 0x10, 0x27, 0, 4]);

/** @returns the requested encryption, and whether the client supports federated authentication. */
export function readPrelogin(data: Buffer): {
  readonly encryption: Encryption;
  readonly knowsFedAuth: boolean;
} {
  const options = new Map<number, Buffer>();
  for (let at = 0; data[at] !== TERMINATOR; at += HEAD) {
    if (at + HEAD >= data.length) throw new MalformedTds("PRELOGIN without an end of its options");
    const start = data.readUInt16BE(at + 1);
    const end = start + data.readUInt16BE(at + 3);
    if (end > data.length) throw new MalformedTds(`a PRELOGIN option ends at ${end} of ${data.length}`);
    options.set(data[at]!, data.subarray(start, end));
  }
  const asked = options.get(OPTION.encryption)?.[0];
  // The highest bit requests a login with a client certificate, which is not used here.
  const known = Object.entries(ENCRYPTION).find(([, value]) => value === asked)?.[0];
  if (known === undefined) throw new MalformedTds(`PRELOGIN asks for the encryption ${asked}`);
  return { encryption: known as Encryption, knowsFedAuth: options.has(OPTION.fedAuthRequired) };
}

/** @param knowsFedAuth SQL Server sends the option only to a client that sent it. */
export function preloginAnswer(encryption: Encryption, knowsFedAuth: boolean): Buffer {
  const options: [number, Buffer][] = [
    [OPTION.version, VERSION],
    [OPTION.encryption, Buffer.from([ENCRYPTION[encryption]])],
    [OPTION.instance, Buffer.from([0])],
    [OPTION.thread, Buffer.alloc(0)],
    [OPTION.mars, Buffer.from([0])],
    [OPTION.traceId, Buffer.alloc(0)],
  ];
  if (knowsFedAuth) options.push([OPTION.fedAuthRequired, Buffer.from([1])]);
  let offset = options.length * HEAD + 1;
  const heads = options.map(([option, value]) => {
    const head = Buffer.alloc(HEAD);
    head.writeUInt8(option, 0);
    head.writeUInt16BE(offset, 1);
    head.writeUInt16BE(value.length, 3);
    offset += value.length;
    return head;
  });
  return Buffer.concat([...heads, Buffer.from([TERMINATOR]), ...options.map(([, value]) => value)]);
}
