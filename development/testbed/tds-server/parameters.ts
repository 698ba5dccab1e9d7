/** A parameter of a remote procedure call, with the types that tedious and SqlClient send (MS-TDS 2.2.5.4 to 2.2.5.6). */
import { MalformedTds } from "./bytes";
import type { Reader } from "./bytes";

export type ParameterValue = string | number | bigint | boolean | null;

export interface Parameter {
  /** Without its `@`; empty if parameters are given by position. */
  readonly name: string;
  readonly value: ParameterValue;
}

const TYPE = {
  null: 0x1f,
  tinyint: 0x30,
  bit: 0x32,
  smallint: 0x34,
  int: 0x38,
  bigint: 0x7f,
  intN: 0x26,
  datetime2: 0x2a,
  bitN: 0x68,
  floatN: 0x6d,
  varbinary: 0xa5,
  varchar: 0xa7,
  binary: 0xad,
  char: 0xaf,
  nvarchar: 0xe7,
  nchar: 0xef,
};
const MAX = 0xffff;
const DAY_MS = 86_400_000;
/** Days are counted from 0001-01-01. */
const DAYS_UNTIL_2000 = 730_119;
const PLP_NULL = 0xffff_ffff_ffff_ffffn;

/** @throws MalformedTds for a type that neither client sends for texts, numbers, times or booleans. */
export function readParameter(reader: Reader): Parameter {
  const name = reader.shortText().replace(/^@/, "");
  reader.uint8(); // Output or default: does not change how the value is read.
  return { name, value: readValue(reader, name) };
}

function readValue(reader: Reader, name: string): ParameterValue {
  const type = reader.uint8();
  switch (type) {
    case TYPE.null:
      return null;
    case TYPE.tinyint:
      return readInteger(reader, 1);
    case TYPE.smallint:
      return readInteger(reader, 2);
    case TYPE.int:
      return readInteger(reader, 4);
    case TYPE.bigint:
      return readInteger(reader, 8);
    case TYPE.bit:
      return reader.uint8() !== 0;
    case TYPE.intN:
      reader.uint8();
      return readInteger(reader, reader.uint8());
    case TYPE.bitN:
      reader.uint8();
      return reader.uint8() === 0 ? null : reader.uint8() !== 0;
    case TYPE.datetime2:
      return readTime(reader, reader.uint8(), reader.uint8());
    case TYPE.floatN:
      reader.uint8();
      return readFloat(reader, reader.uint8());
    case TYPE.nvarchar:
    case TYPE.nchar:
      return readLong(reader, true)?.toString("utf16le") ?? null;
    case TYPE.varchar:
    case TYPE.char:
      return readLong(reader, true)?.toString("latin1") ?? null;
    case TYPE.varbinary:
    case TYPE.binary: {
      const data = readLong(reader, false);
      return data === null ? null : `0x${data.toString("hex")}`;
    }
    default:
      throw new MalformedTds(
        `the parameter '${name}' has the type 0x${type.toString(16)}, which is not known`,
      );
  }
}

function readInteger(reader: Reader, size: number): number | bigint | null {
  switch (size) {
    case 0:
      return null;
    case 1:
      return reader.uint8();
    case 2:
      return reader.bytes(2).readInt16LE();
    case 4:
      return reader.bytes(4).readInt32LE();
    case 8:
      return reader.bytes(8).readBigInt64LE();
    default:
      throw new MalformedTds(`an integer of ${size} bytes`);
  }
}

function readFloat(reader: Reader, size: number): number | null {
  if (size === 0) return null;
  return size === 4 ? reader.bytes(4).readFloatLE() : reader.bytes(8).readDoubleLE();
}

/** ISO 8601 in UTC, with milliseconds, as both clients mean it. */
function readTime(reader: Reader, scale: number, size: number): string | null {
  if (size === 0) return null;
  const time = reader.bytes(size - 3).readUIntLE(0, size - 3) / 10 ** (scale - 3);
  const days = reader.bytes(3).readUIntLE(0, 3) - DAYS_UNTIL_2000;
  return new Date(Date.UTC(2000, 0, 1) + days * DAY_MS + Math.round(time)).toISOString();
}

/** Text and binary: up to 8,000 bytes with a length prefix, or (max) in chunks. */
function readLong(reader: Reader, collated: boolean): Buffer | null {
  const declared = reader.uint16();
  if (collated) reader.bytes(5);
  if (declared === MAX) return readChunks(reader);
  const length = reader.uint16();
  return length === 0xffff ? null : reader.bytes(length);
}

function readChunks(reader: Reader): Buffer | null {
  if (reader.uint64() === PLP_NULL) return null;
  const chunks: Buffer[] = [];
  for (let length = reader.uint32(); length !== 0; length = reader.uint32())
    chunks.push(reader.bytes(length));
  return Buffer.concat(chunks);
}
