/** The tokens of answers (MS-TDS 2.2.7). */
import { longText, shortBytes, shortText, uint16, uint32, uint64, uint8 } from "./bytes";
import { Feature } from "./login7";

/** An error of SQL Server, or in an INFO token a message. */
export interface SqlError {
  readonly number: number;
  /** @default 1 */
  readonly state?: number;
  /** @default 16 for an error, 0 for information */
  readonly severity?: number;
  readonly message: string;
  /** The procedure or trigger that failed; `line` is then relative to it. */
  readonly procedure?: string;
  /** Counts from 1, in the batch or the procedure. @default 1 */
  readonly line?: number;
}

const TOKEN = {
  returnStatus: 0x79,
  error: 0xaa,
  info: 0xab,
  loginAck: 0xad,
  featureExtAck: 0xae,
  envChange: 0xe3,
  done: 0xfd,
  doneProc: 0xfe,
  doneInProc: 0xff,
};

const SERVER = "tds-server";
/** SQL_Latin1_General_CP1_CI_AS, the default of SQL Server. */
export const COLLATION = Buffer.from([0x09, 0x04, 0xd0, 0x00, 0x34]);

export const DoneStatus = { more: 0x01, error: 0x02, count: 0x10, attention: 0x20 } as const;
export type DoneKind = "done" | "doneInProc" | "doneProc";

/** @param command which statement ended (`curCmd`); clients ignore it. */
export function done(kind: DoneKind, status: number, rowCount = 0n, command = 0): Buffer {
  return Buffer.concat([uint8(TOKEN[kind]), uint16(status), uint16(command), uint64(rowCount)]);
}

export function error(given: SqlError): Buffer {
  return messageToken(TOKEN.error, given, given.severity ?? 16);
}

export function info(given: SqlError): Buffer {
  return messageToken(TOKEN.info, given, given.severity ?? 0);
}

function messageToken(
  token: number,
  { number, state, message, procedure, line }: SqlError,
  severity: number,
) {
  const body = Buffer.concat([
    uint32(number),
    uint8(state ?? 1),
    uint8(severity),
    longText(message),
    shortText(SERVER),
    shortText(procedure ?? ""),
    uint32(line ?? 1),
  ]);
  return Buffer.concat([uint8(token), uint16(body.length), body]);
}

export function returnStatus(value: number): Buffer {
  return Buffer.concat([uint8(TOKEN.returnStatus), uint32(value >>> 0)]);
}

/** @param tdsVersion the client's: 7.4 or 8.0. */
export function loginAck(tdsVersion: number): Buffer {
  const version = Buffer.alloc(4);
  version.writeUInt32BE(tdsVersion);
  const body = Buffer.concat([
    uint8(1), // T-SQL
    version,
    shortText("Microsoft SQL Server"),
    Buffer.from([16, 0, 0x10, 0x27]),
  ]);
  return Buffer.concat([uint8(TOKEN.loginAck), uint16(body.length), body]);
}

/** Acknowledges the requested features that this server has; empty if there are none. */
export function featureExtAck(requested: readonly number[]): Buffer {
  const known: [number, Buffer][] = [
    [Feature.fedAuth, Buffer.alloc(0)],
    [Feature.utf8, uint8(1)],
  ];
  const acknowledged = known
    .filter(([id]) => requested.includes(id))
    .map(([id, data]) => Buffer.concat([uint8(id), uint32(data.length), data]));
  if (acknowledged.length === 0) return Buffer.alloc(0);
  return Buffer.concat([uint8(TOKEN.featureExtAck), ...acknowledged, uint8(0xff)]);
}

/** ENVCHANGE tokens: the session state of both sides. */
export const envChange = {
  database: (name: string, before: string) => textChange(1, name, before),
  language: (name: string) => textChange(2, name, ""),
  packetSize: (size: number, before: number) => textChange(4, `${size}`, `${before}`),
  collation: () => bytesChange(7, COLLATION, Buffer.alloc(0)),
  beginTransaction: (descriptor: Buffer) => bytesChange(8, descriptor, Buffer.alloc(0)),
  commit: (descriptor: Buffer) => bytesChange(9, Buffer.alloc(0), descriptor),
  rollback: (descriptor: Buffer) => bytesChange(10, Buffer.alloc(0), descriptor),
  resetConnection: () => bytesChange(18, Buffer.alloc(0), Buffer.alloc(0)),
  /** Azure SQL's gateway redirects clients to the server of the database. */
  routing: (server: string, port: number) => {
    const route = Buffer.concat([uint8(0), uint16(port), longText(server)]);
    return change(20, Buffer.concat([uint16(route.length), route, uint16(0)]));
  },
};

function textChange(type: number, now: string, before: string): Buffer {
  return change(type, Buffer.concat([shortText(now), shortText(before)]));
}

function bytesChange(type: number, now: Buffer, before: Buffer): Buffer {
  return change(type, Buffer.concat([shortBytes(now), shortBytes(before)]));
}

function change(type: number, body: Buffer): Buffer {
  return Buffer.concat([uint8(TOKEN.envChange), uint16(body.length + 1), uint8(type), body]);
}
