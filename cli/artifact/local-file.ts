/** Reads files of any size piece by piece: the digest, and a copy of exactly the hashed bytes. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { ArchiveExtension } from "../../release/archive";

interface Digested {
  readonly sha256: string;
  readonly bytes: number;
}

interface ReadOptions {
  /** @default - the file is read to its end */
  readonly signal?: AbortSignal;
  /** @default - progress is not reported */
  readonly onBytes?: (done: number) => void;
  /** The file of the copy. @default - no copy */
  readonly copyTo?: string;
}

export async function digestFile(file: string, options: ReadOptions = {}): Promise<Digested> {
  const { signal } = options;
  const hash = createHash("sha256");
  let bytes = 0;
  const copy = options.copyTo === undefined ? undefined : await open(options.copyTo, "wx", 0o600);
  try {
    for await (const piece of createReadStream(file, {
      ...(signal === undefined ? {} : { signal }),
      highWaterMark: 1 << 20,
    })) {
      hash.update(piece as Buffer);
      await copy?.appendFile(piece as Buffer);
      bytes += (piece as Buffer).length;
      options.onBytes?.(bytes);
    }
  } finally {
    await copy?.close();
  }
  return { sha256: hash.digest("hex"), bytes };
}

/** From its first bytes, as installers decide; null for a file that they would not unpack. */
export async function archiveExtension(file: string): Promise<ArchiveExtension | null> {
  const handle = await open(file, "r");
  try {
    const magic = (await readPiece(handle, 0, 4)).toString("latin1");
    if (magic === "PK\x03\x04") return ".zip";
    return magic.startsWith("\x1f\x8b") ? ".tar.gz" : null;
  } finally {
    await handle.close();
  }
}

/** @returns that many bytes; fewer only at the end of the file. */
export async function readPiece(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const piece = Buffer.alloc(bytes);
  let length = 0;
  while (length < bytes) {
    const { bytesRead } = await file.read(piece, length, bytes - length, at + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return piece.subarray(0, length);
}
