/**
 * Packs a folder into a zip. The same content is the same bytes on every machine, so its digest can be told before it is
 * published: names in byte order, one time for all, of the modes only whether a file can be started, and a deflate that
 * is JavaScript's own (zlib's output differs between versions and processors).
 */
import { Failure, InvalidInput } from "../../release/failure";
import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { open, readdir, realpath, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join, sep } from "node:path";
import { Zip, ZipDeflate, ZipPassThrough } from "fflate";
import { EXIT } from "../../release/exit-code";
import { quote } from "../../release/text";
import { readPiece } from "./local-file";

/** As install-release.sh has them: a folder that servers would refuse is refused here. */
const MAX_ENTRIES = 20_000;
const MAX_BYTES = 2 ** 31;
const MAX_NAME_BYTES = 1_000;
/** Backslashes and control characters; the last is how `unzip` lists such a character. */
const ODD_NAME = /\\|\p{Cc}|\^[?@-_]/u;
const PIECE_BYTES = 256 * 1024;
/** The first time that a zip can tell. It is a local time, so it is made of local parts. */
const PACKED_AT = new Date(1980, 0, 1);
const LEFT_OUT = ".git";

export interface PackOptions {
  readonly signal: AbortSignal;
  readonly onBytes: (done: number, total: number) => void;
}

export interface Packed {
  readonly sha256: string;
  readonly bytes: number;
  /** What the folder has and the zip has not. */
  readonly leftOut: readonly string[];
}

interface Entry {
  /** In the zip; a folder's ends with a slash. */
  readonly name: string;
  /** Where its content is: behind a link, what the link means. */
  readonly place: string;
  readonly bytes: number;
  readonly isExecutable: boolean;
}

/** @throws Failure (bad input) that names what can't be packed. @param to the zip's file, which is written anew. */
export async function packFolder(folder: string, to: string, options: PackOptions): Promise<Packed> {
  const { entries, leftOut } = await listFolder(folder);
  const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  const file = await open(to, "wx", 0o600);
  try {
    const zip = new ZipWriter(file);
    let done = 0;
    for (const entry of entries) {
      await zip.add(entry, (bytes) => {
        options.signal.throwIfAborted();
        options.onBytes((done += bytes), total);
      });
    }
    return { ...(await zip.end()), leftOut };
  } finally {
    await file.close();
  }
}

// ---------------------------------------------------------------------------------------------- what there is

async function listFolder(folder: string): Promise<{ entries: Entry[]; leftOut: string[] }> {
  const listing = new Listing(await realpath(folder));
  await listing.visit("", [listing.root]);
  if (listing.entries.every(({ name }) => name.endsWith("/"))) {
    throw new InvalidInput(`${folder} has no files: there is nothing to pack`);
  }
  const inOrder = listing.entries.sort((one, other) =>
    Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)),
  );
  return { entries: inOrder, leftOut: listing.leftOut };
}

class Listing {
  readonly entries: Entry[] = [];
  readonly leftOut: string[] = [];
  private bytes = 0;

  constructor(readonly root: string) {}

  /** @param prefix the folder's name in the zip. @param above the real folders that lead to it, itself at the end. */
  async visit(prefix: string, above: readonly string[]): Promise<void> {
    const folder = above.at(-1)!;
    const children = await readdir(folder, { withFileTypes: true });
    if (children.length === 0 && prefix !== "") this.add(prefix, folder, undefined);
    for (const child of children) {
      const name = prefix + child.name;
      if (child.name === LEFT_OUT) {
        this.leftOut.push(name);
        continue;
      }
      refuseOddName(name);
      const place = child.isSymbolicLink()
        ? await this.target(name, join(folder, child.name))
        : join(folder, child.name);
      const found = await stat(place, { bigint: true });
      if (found.isFile()) this.add(name, place, found);
      else if (!found.isDirectory()) refuse(name, "is neither file nor folder: leave it out");
      else if (above.includes(place)) refuse(name, "is a link to a folder that it is in: leave it out");
      else await this.visit(`${name}/`, [...above, place]);
    }
  }

  /** Servers take no links, so a link's content is packed; what lies outside of the folder is no part of it. */
  private async target(name: string, link: string): Promise<string> {
    const place = await realpath(link).catch(() => refuse(name, "is a link to nothing: leave it out"));
    if (place !== this.root && !place.startsWith(this.root + sep)) {
      refuse(name, "is a link out of the folder: put the file itself there");
    }
    return place;
  }

  private add(name: string, place: string, found: BigIntStats | undefined): void {
    const bytes = Number(found?.size ?? 0);
    this.bytes += bytes;
    this.entries.push({ name, place, bytes, isExecutable: ((found?.mode ?? 0n) & 0o111n) !== 0n });
    if (this.entries.length > MAX_ENTRIES) {
      refuse(name, `is one more than the ${MAX_ENTRIES} files that servers unpack`);
    }
    if (this.bytes > MAX_BYTES) refuse(name, `makes it more than the ${MAX_BYTES} bytes that servers unpack`);
  }
}

function refuse(name: string, because: string): never {
  throw new InvalidInput(`${quote(name)} ${because}`);
}

function refuseOddName(name: string): void {
  if (ODD_NAME.test(name)) refuse(name, "has a backslash or a control character in its name: rename it");
  if (name.includes("\uFFFD")) refuse(name, "has a name that is no UTF-8: rename it");
  if (Buffer.byteLength(name) > MAX_NAME_BYTES)
    refuse(name, `has a name of more than ${MAX_NAME_BYTES} bytes`);
}

// ------------------------------------------------------------------------------------------------- the zip itself

/** Writes what fflate makes of the entries, no faster than the disk takes it. */
class ZipWriter {
  private readonly hash = createHash("sha256");
  private bytes = 0;
  private waiting: Uint8Array[] = [];
  private readonly zip = new Zip((error, piece) => {
    if (error !== null) throw error;
    this.waiting.push(piece);
  });

  constructor(private readonly file: FileHandle) {}

  async add({ name, place, bytes, isExecutable }: Entry, onPiece: (bytes: number) => void): Promise<void> {
    const isFolder = name.endsWith("/");
    const mode = isFolder ? 0o040755 : isExecutable ? 0o100755 : 0o100644;
    const attributes = { mtime: PACKED_AT, os: 3, attrs: mode * 0x10000 + (isFolder ? 0x10 : 0) };
    const entry = Object.assign(isFolder ? new ZipPassThrough(name) : new ZipDeflate(name), attributes);
    this.zip.add(entry);
    if (isFolder) entry.push(new Uint8Array(0), true);
    else
      await this.read(name, place, bytes, (piece, isLast) => {
        entry.push(piece, isLast);
        onPiece(piece.length);
        return this.write();
      });
    await this.write();
  }

  async end(): Promise<{ sha256: string; bytes: number }> {
    this.zip.end();
    await this.write();
    return { sha256: this.hash.digest("hex"), bytes: this.bytes };
  }

  /** In pieces of one size, whatever the disk gives: they decide what deflate makes of them. */
  private async read(
    name: string,
    place: string,
    bytes: number,
    take: (piece: Buffer, isLast: boolean) => Promise<void>,
  ): Promise<void> {
    const source = await open(place, "r");
    try {
      for (let at = 0; ; at += PIECE_BYTES) {
        const isLast = at + PIECE_BYTES >= bytes;
        const length = isLast ? bytes - at : PIECE_BYTES;
        // One byte more would show that it grew.
        const piece = await readPiece(source, at, isLast ? length + 1 : length);
        if (piece.length !== length) {
          throw new Failure(
            `${quote(name)} changed while it was packed: try again when it is still`,
            EXIT.refused,
          );
        }
        await take(piece, isLast);
        if (isLast) return;
      }
    } finally {
      await source.close();
    }
  }

  private async write(): Promise<void> {
    const pieces = this.waiting;
    this.waiting = [];
    for (const piece of pieces) {
      this.hash.update(piece);
      this.bytes += piece.length;
      await this.file.appendFile(piece);
    }
  }
}
