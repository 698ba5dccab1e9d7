/** The end of a zip's directory, with the records of zip64 if there are too many entries for the old one. */

/** The end record without a comment. */
export const END_BYTES = 22;
/** The largest value stands for "see zip64". */
const MOST = 0xffff;

/**
 * @param directory the directory with the end record that has no right count of so many entries.
 * @param at the directory's place in the archive.
 * @returns what belongs after the directory. PKWARE APPNOTE.TXT 6.3, sections 4.3.14 to 4.3.16.
 */
export function endRecord(directory: Uint8Array, entries: number, at: number): Buffer {
  const end = Buffer.from(directory.subarray(-END_BYTES));
  if (entries < MOST) return end;
  const length = directory.length - END_BYTES;
  const zip64 = Buffer.alloc(56);
  zip64.writeUInt32LE(0x06064b50, 0);
  zip64.writeBigUInt64LE(BigInt(zip64.length - 12), 4);
  zip64.writeUInt16LE(45, 12);
  zip64.writeUInt16LE(45, 14);
  zip64.writeBigUInt64LE(BigInt(entries), 24);
  zip64.writeBigUInt64LE(BigInt(entries), 32);
  zip64.writeBigUInt64LE(BigInt(length), 40);
  zip64.writeBigUInt64LE(BigInt(at), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(at + length), 8);
  locator.writeUInt32LE(1, 16);
  end.writeUInt16LE(MOST, 8);
  end.writeUInt16LE(MOST, 10);
  end.writeUInt32LE(length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([zip64, locator, end]);
}
