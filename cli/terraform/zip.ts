/**
 * Reads one file out of a zip archive in memory: enough for a vendor's release (stored or deflated entries, a central
 * directory, no zip64, no encryption), and no dependency. Format: PKWARE APPNOTE.TXT 6.3, sections 4.3.7 to 4.3.16.
 */
import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_ENTRY = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;
const MAX_UNPACKED_BYTES = 512 * 1024 * 1024;

/**
 * The bytes of the entry with exactly this name.
 * @throws Error if there is no such entry, or the archive is damaged (its CRC-32 and size are checked).
 */
export async function unpackEntry(zip: Buffer, name: string): Promise<Buffer> {
  try {
    return await unpack(zip, name);
  } catch (error) {
    // An offset in the archive leads out of it.
    if ((error as NodeJS.ErrnoException).code === "ERR_OUT_OF_RANGE")
      throw new Error("the zip archive is damaged");
    throw error;
  }
}

async function unpack(zip: Buffer, name: string): Promise<Buffer> {
  const end = findEndOfDirectory(zip);
  let at = zip.readUInt32LE(end + 16);
  for (let entry = zip.readUInt16LE(end + 10); entry > 0; entry--) {
    if (zip.readUInt32LE(at) !== DIRECTORY_ENTRY) throw new Error("the zip archive is damaged");
    const nameLength = zip.readUInt16LE(at + 28);
    if (zip.toString("utf8", at + 46, at + 46 + nameLength) === name) return await unpackAt(zip, at, name);
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`the zip archive has no entry "${name}"`);
}

/** The end record is the last thing in the archive, but for a comment of at most 65,535 bytes. */
function findEndOfDirectory(zip: Buffer): number {
  for (let at = zip.length - 22; at >= 0 && at >= zip.length - 22 - 0xffff; at--) {
    if (zip.readUInt32LE(at) === END_OF_DIRECTORY) return at;
  }
  throw new Error("this is no zip archive");
}

async function unpackAt(zip: Buffer, entry: number, name: string): Promise<Buffer> {
  const encrypted = (zip.readUInt16LE(entry + 8) & 1) === 1;
  const method = zip.readUInt16LE(entry + 10);
  const crc = zip.readUInt32LE(entry + 16);
  const packedSize = zip.readUInt32LE(entry + 20);
  const size = zip.readUInt32LE(entry + 24);
  const local = zip.readUInt32LE(entry + 42);
  if (encrypted || (method !== STORED && method !== DEFLATED) || size > MAX_UNPACKED_BYTES) {
    throw new Error(`"${name}" in the zip archive is encrypted, too large or packed in an unknown way`);
  }
  if (zip.readUInt32LE(local) !== LOCAL_ENTRY) throw new Error("the zip archive is damaged");
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const packed = zip.subarray(start, start + packedSize);
  const bytes = method === STORED ? packed : await inflate(packed, size);
  if (bytes.length !== size || crc32(bytes) !== crc)
    throw new Error(`"${name}" in the zip archive is damaged`);
  return bytes;
}

async function inflate(packed: Buffer, size: number): Promise<Buffer> {
  try {
    return await promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw)(packed, {
      maxOutputLength: Math.max(size, 1),
    });
  } catch {
    throw new Error("the zip archive is damaged");
  }
}
