/**
 * Reads some entries of a zip without reading the rest: an artifact may be large, its migrations are small. Of zip64
 * only the number of entries (an artifact has at most 2 GiB), and no encryption; checks sizes and CRC-32. Format: PKWARE APPNOTE.TXT 6.3, sections 4.3.7
 * to 4.3.16.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32, inflateRawSync } from "node:zlib";
import { quote } from "../release/text";

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_ENTRY = 0x04034b50;
const ZIP64_LOCATOR = 0x07064b50;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END = 0x06064b50;
const ZIP64_END_BYTES = 56;
/** The locator of zip64, the end record and the longest comment after it. */
const LONGEST_END = ZIP64_LOCATOR_BYTES + 22 + 0xffff;
const MAX_DIRECTORY_BYTES = 256 * 1024 * 1024;
/** All unpacked bytes are in memory at once, and many entries may point to the same bytes. */
const MAX_UNPACKED_BYTES = 512 * 1024 * 1024;

/** Reads these bytes of the archive. @throws Error if it ends before. */
type ReadAt = (at: number, length: number) => Buffer;

/**
 * The bytes of the entry with exactly this name, in an archive in memory.
 * @throws Error if there is no such entry, or the archive is damaged or not supported.
 */
export function readEntry(zip: Buffer, name: string): Buffer {
  const readAt: ReadAt = (at, length) => {
    if (at + length > zip.length) throw damaged();
    return zip.subarray(at, at + length);
  };
  let found;
  try {
    found = readWanted(readAt, zip.length, (each) => each === name).get(name);
  } catch (error) {
    throw new Error(`the zip archive can't be read: ${(error as Error).message}`);
  }
  if (found === undefined) throw new Error(`the zip archive has no entry ${quote(name)}`);
  return found;
}

/**
 * @param isWanted gets the name and the unpacked size.
 * @throws Error if the archive is damaged or not supported.
 */
export function readEntries(
  file: string,
  isWanted: (name: string, bytes: number) => boolean,
): Map<string, Buffer> {
  const handle = openSync(file, "r");
  try {
    const { size } = fstatSync(handle);
    return readWanted((at, length) => readFileAt(handle, size, at, length), size, isWanted);
  } finally {
    closeSync(handle);
  }
}

function readWanted(
  readAt: ReadAt,
  size: number,
  isWanted: (name: string, bytes: number) => boolean,
): Map<string, Buffer> {
  const wanted = new Map<string, Entry>();
  let total = 0;
  for (const entry of entriesOf(readAt, size)) {
    const { name, bytes } = entry;
    if (!isWanted(name, bytes)) continue;
    if (wanted.has(name)) throw new Error(`it has two entries ${quote(name)}`);
    total += bytes;
    if (total > MAX_UNPACKED_BYTES) throw new Error(`it unpacks to more than ${MAX_UNPACKED_BYTES} bytes`);
    wanted.set(name, entry);
  }
  return new Map([...wanted].map(([name, entry]) => [name, unpack(readAt, entry)]));
}

interface Entry {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly at: number;
}

function* entriesOf(readAt: ReadAt, size: number): Generator<Entry> {
  const tail = readAt(Math.max(0, size - LONGEST_END), Math.min(size, LONGEST_END));
  const { count, length, start } = directoryOf(readAt, tail);
  if (length > MAX_DIRECTORY_BYTES) throw damaged();
  const directory = readAt(start, length);
  for (let at = 0, left = count; left > 0; left--) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== DIRECTORY_ENTRY) throw damaged();
    const nameLength = directory.readUInt16LE(at + 28);
    yield {
      name: directory.toString("utf8", at + 46, at + 46 + nameLength),
      flags: directory.readUInt16LE(at + 8),
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      packedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      at: directory.readUInt32LE(at + 42),
    };
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
}

function directoryOf(readAt: ReadAt, tail: Buffer): { count: number; length: number; start: number } {
  const end = findEnd(tail);
  const count = tail.readUInt16LE(end + 10);
  const length = tail.readUInt32LE(end + 12);
  const start = tail.readUInt32LE(end + 16);
  if (start !== 0xffffffff && count !== 0xffff) return { count, length, start };
  const locator = end - ZIP64_LOCATOR_BYTES;
  if (locator < 0 || tail.readUInt32LE(locator) !== ZIP64_LOCATOR) throw damaged();
  const zip64 = readAt(Number(tail.readBigUInt64LE(locator + 8)), ZIP64_END_BYTES);
  if (zip64.readUInt32LE(0) !== ZIP64_END) throw damaged();
  const number = (at: number): number => Number(zip64.readBigUInt64LE(at));
  return { count: number(32), length: number(40), start: number(48) };
}

function findEnd(tail: Buffer): number {
  for (let at = tail.length - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) === END_OF_DIRECTORY) return at;
  }
  throw new Error("it has no directory");
}

function unpack(readAt: ReadAt, { name, flags, method, crc, packedBytes, bytes, at }: Entry) {
  if ((flags & 1) === 1) throw new Error(`${quote(name)} is encrypted`);
  const local = readAt(at, 30);
  if (local.readUInt32LE(0) !== LOCAL_ENTRY) throw damaged();
  const start = at + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  const packed = readAt(start, packedBytes);
  const content = method === 0 ? packed : inflate(packed, method, bytes);
  if (content.length !== bytes || crc32(content) !== crc) throw damaged();
  return content;
}

function inflate(packed: Buffer, method: number, bytes: number): Buffer {
  if (method !== 8) throw new Error(`it is packed with method ${method}`);
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(bytes, 1) });
  } catch {
    throw damaged();
  }
}

function readFileAt(handle: number, size: number, at: number, length: number): Buffer {
  if (at + length > size) throw damaged();
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const bytes = readSync(handle, buffer, done, length - done, at + done);
    if (bytes === 0) throw damaged();
    done += bytes;
  }
  return buffer;
}

function damaged(): Error {
  return new Error("it is damaged");
}
