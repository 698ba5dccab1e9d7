/** Reads and writes TDS integers and length-prefixed strings (MS-TDS 2.2.5.1, little-endian). */

/** A message that violates MS-TDS: the server closes the connection, as SQL Server does. */
export class MalformedTds extends Error {
  override readonly name = "MalformedTds";
}

/** Reads a message in order. Reading beyond its end throws `MalformedTds`, never Node's RangeError. */
export class Reader {
  constructor(
    private readonly data: Buffer,
    private offset = 0,
  ) {}

  get remaining(): number {
    return this.data.length - this.offset;
  }

  /** The same message from this offset. */
  at(offset: number): Reader {
    return new Reader(this.data, offset);
  }

  bytes(length: number): Buffer {
    if (length < 0 || length > this.remaining)
      throw new MalformedTds(`${length} bytes are announced at ${this.offset}, and ${this.remaining} follow`);
    this.offset += length;
    return this.data.subarray(this.offset - length, this.offset);
  }

  uint8(): number {
    return this.bytes(1).readUInt8();
  }

  uint16(): number {
    return this.bytes(2).readUInt16LE();
  }

  uint32(): number {
    return this.bytes(4).readUInt32LE();
  }

  uint64(): bigint {
    return this.bytes(8).readBigUInt64LE();
  }

  /** B_VARCHAR: one byte with the count of UTF-16 units. */
  shortText(): string {
    return this.bytes(2 * this.uint8()).toString("utf16le");
  }

  /** US_VARCHAR's text, after its count was read. */
  text(units: number): string {
    return this.bytes(2 * units).toString("utf16le");
  }
}

export function uint8(value: number): Buffer {
  return Buffer.from([value]);
}

export function uint16(value: number): Buffer {
  const data = Buffer.alloc(2);
  data.writeUInt16LE(value);
  return data;
}

export function uint32(value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt32LE(value);
  return data;
}

export function uint64(value: bigint): Buffer {
  const data = Buffer.alloc(8);
  data.writeBigUInt64LE(value);
  return data;
}

/** B_VARCHAR: one byte with the count of UTF-16 units, at most 255. */
export function shortText(value: string): Buffer {
  if (value.length > 255) throw new RangeError(`'${value.slice(0, 20)}...' has more than 255 characters`);
  return Buffer.concat([uint8(value.length), Buffer.from(value, "utf16le")]);
}

/** US_VARCHAR: two bytes with the count of UTF-16 units. */
export function longText(value: string): Buffer {
  return Buffer.concat([uint16(value.length), Buffer.from(value, "utf16le")]);
}

/** B_VARBYTE: one byte with the count of bytes. */
export function shortBytes(value: Buffer): Buffer {
  return Buffer.concat([uint8(value.length), value]);
}
