/**
 * Packs a folder into a zip. The same content gives the same bytes on every machine, so the digest is known before it is
 * published: names in byte order, one fixed time, only the executable bit of the modes, and a deflate in JavaScript
 * (zlib's output differs between versions and processors).
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
import { END_BYTES, endRecord } from "./zip64";

/** As install-release.sh: a folder that servers would refuse is refused here. */
const MAX_BYTES = 2 ** 31;
const MAX_NAME_BYTES = 1_000;
/** Backslashes and control characters; the last part is how `unzip` lists a control character. */
const ODD_NAME = /\\|\p{Cc}|\^[?@-_]/u;
const PIECE_BYTES = 256 * 1024;
/** The earliest time in a zip: a local time. */
const PACKED_AT = new Date(1980, 0, 1);
const LEFT_OUT = ".git";

export interface PackOptions {
  /** The environment's `maxArtifactFiles`. */
  readonly maxFiles: number;
  readonly signal: AbortSignal;
  readonly onBytes: (done: number, total: number) => void;
}

export interface Packed {
  readonly sha256: string;
  readonly bytes: number;
  /** Names in the folder that are not in the zip. */
  readonly leftOut: readonly string[];
}

interface Entry {
  /** In the zip; a folder's name ends with a slash. */
  readonly name: string;
  /** The file with its content; for a link, the target. */
  readonly place: string;
  readonly bytes: number;
  readonly isExecutable: boolean;
}

/** @throws Failure (bad input) naming the entry that can't be packed. @param to the new zip file. */
export async function packFolder(folder: string, to: string, options: PackOptions): Promise<Packed> {
  const { entries, leftOut } = await listFolder(folder, options.maxFiles);
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

// ---------------------------------------------------------------------------------------------- the entries

async function listFolder(
  folder: string,
  maxFiles: number,
): Promise<{ entries: Entry[]; leftOut: string[] }> {
  const listing = new Listing(await realpath(folder), maxFiles);
  await listing.visit("", [listing.root]);
  if (listing.entries.every(({ name }) => name.endsWith("/"))) {
    throw new InvalidInput(`${folder} has no files to pack`);
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

  constructor(
    readonly root: string,
    private readonly maxFiles: number,
  ) {}

  /** @param prefix the folder's name in the zip. @param above the real path's folders, down to the folder itself. */
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
      else if (!found.isDirectory()) refuse(name, "is neither a file nor a folder: remove it");
      else if (above.includes(place)) refuse(name, "is a link to a folder that contains it: remove it");
      else await this.visit(`${name}/`, [...above, place]);
    }
  }

  /** Servers refuse links, so a link's content is packed. A target outside the folder is refused. */
  private async target(name: string, link: string): Promise<string> {
    const place = await realpath(link).catch(() => refuse(name, "is a broken link: remove it"));
    if (place !== this.root && !place.startsWith(this.root + sep)) {
      refuse(name, "is a link out of the folder: replace it with the file");
    }
    return place;
  }

  private add(name: string, place: string, found: BigIntStats | undefined): void {
    const bytes = Number(found?.size ?? 0);
    this.bytes += bytes;
    this.entries.push({ name, place, bytes, isExecutable: ((found?.mode ?? 0n) & 0o111n) !== 0n });
    if (this.entries.length > this.maxFiles) {
      refuse(
        name,
        `exceeds the ${this.maxFiles} files that servers unpack: raise "maxArtifactFiles" in the environment file`,
      );
    }
    if (this.bytes > MAX_BYTES) refuse(name, `exceeds the ${MAX_BYTES} bytes that servers unpack`);
  }
}

function refuse(name: string, reason: string): never {
  throw new InvalidInput(`${quote(name)} ${reason}`);
}

function refuseOddName(name: string): void {
  if (ODD_NAME.test(name)) refuse(name, "has a backslash or a control character in its name: rename it");
  if (name.includes("\uFFFD")) refuse(name, "has a name that is not UTF-8: rename it");
  if (Buffer.byteLength(name) > MAX_NAME_BYTES)
    refuse(name, `has a name of more than ${MAX_NAME_BYTES} bytes`);
}

// ------------------------------------------------------------------------------------------------- the zip

/** Writes fflate's output, no faster than the disk accepts it. */
class ZipWriter {
  private readonly hash = createHash("sha256");
  private bytes = 0;
  private entries = 0;
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
    this.entries += 1;
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
    // fflate writes the directory and its end in one piece, and counts to 65,535 there.
    const directory = this.waiting.pop()!;
    this.waiting.push(directory.subarray(0, -END_BYTES), endRecord(directory, this.entries, this.bytes));
    await this.write();
    return { sha256: this.hash.digest("hex"), bytes: this.bytes };
  }

  /** In pieces of a fixed size: deflate's output depends on them. */
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
        // One byte more shows whether the file grew.
        const piece = await readPiece(source, at, isLast ? length + 1 : length);
        if (piece.length !== length) {
          throw new Failure(
            `${quote(name)} changed while it was packed: try again when nothing writes to it`,
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
