/** LOGIN7 (MS-TDS 2.2.6.4): user and password, or access token, and the database. */
import { MalformedTds, Reader } from "./bytes";

/** A client's login. */
export interface TdsLogin {
  readonly user: string;
  /** Decoded: on the wire it is only scrambled. */
  readonly password: string;
  readonly database: string;
  readonly applicationName: string;
  readonly hostName: string;
  readonly serverName: string;
  /** The Entra access token of a federated login; null with user and password. */
  readonly token: string | null;
  /** Whether the login came over TLS. */
  readonly encrypted: boolean;
}

export interface ReadLogin extends Omit<TdsLogin, "encrypted"> {
  /** 0x74000004 for TDS 7.4, 0x08000000 for TDS 8.0. */
  readonly tdsVersion: number;
  /** The packet size that the client requests, in bytes. */
  readonly packetSize: number;
  /** The ids of the requested features. */
  readonly features: readonly number[];
}

export const Feature = { fedAuth: 0x02, utf8: 0x0a } as const;

const FEATURE_END = 0xff;
const EXTENSION_USED = 0x10;
/** FEDAUTH with a token that the client got by itself; the lowest bit is the echo of FEDAUTHREQUIRED. */
const SECURITY_TOKEN = 0x01;

export function readLogin7(data: Buffer): ReadLogin {
  const fixed = new Reader(data);
  fixed.uint32();
  const tdsVersion = fixed.uint32();
  const packetSize = fixed.uint32();
  fixed.bytes(12 + 3);
  const optionFlags3 = fixed.uint8();
  fixed.bytes(8);
  const field = (): { offset: number; count: number } => ({ offset: fixed.uint16(), count: fixed.uint16() });
  const [host, user, password, application, server, extension, , , database] = Array.from(
    { length: 9 },
    field,
  ) as [Field, Field, Field, Field, Field, Field, Field, Field, Field];
  const raw = ({ offset, count }: Field): Buffer => new Reader(data).at(offset).bytes(2 * count);
  const text = (where: Field): string => raw(where).toString("utf16le");
  const features =
    (optionFlags3 & EXTENSION_USED) === 0
      ? new Map<number, Buffer>()
      : readFeatures(new Reader(data).at(new Reader(data).at(extension.offset).uint32()));
  const fedAuth = features.get(Feature.fedAuth);
  return {
    user: text(user),
    password: Buffer.from(raw(password).map(unscrambled)).toString("utf16le"),
    database: text(database),
    applicationName: text(application),
    hostName: text(host),
    serverName: text(server),
    token: fedAuth === undefined ? null : readToken(fedAuth),
    tdsVersion,
    packetSize,
    features: [...features.keys()],
  };
}

interface Field {
  readonly offset: number;
  readonly count: number;
}

/** Each byte of a password has its halves swapped and is XORed with 0xA5: obfuscation, not protection. */
function unscrambled(byte: number): number {
  const swapped = byte ^ 0xa5;
  return ((swapped << 4) | (swapped >> 4)) & 0xff;
}

function readFeatures(reader: Reader): Map<number, Buffer> {
  const features = new Map<number, Buffer>();
  for (let id = reader.uint8(); id !== FEATURE_END; id = reader.uint8()) {
    features.set(id, reader.bytes(reader.uint32()));
  }
  return features;
}

function readToken(data: Buffer): string {
  const reader = new Reader(data);
  const library = reader.uint8() >> 1;
  if (library !== SECURITY_TOKEN)
    throw new MalformedTds(`FEDAUTH with the library ${library}: only access tokens are supported`);
  return reader.bytes(reader.uint32()).toString("utf16le");
}
