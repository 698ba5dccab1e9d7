/** Fetches a release's migrations and compares their digest with the record. */
import { InvalidInput } from "../../release/failure";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import { readScripts, refuseHugeFile } from "../../release/migrations/scripts";
import type { Script } from "../../release/migrations/scripts";
import type { Migrations } from "../../release/release";
import { writeAtomically } from "../../system/atomic-file";
import { accessToken, OutOfReach, patiently } from "./identity";

/** Of a bundle as it is fetched. */
const MOST_BYTES = 256 * 1024 * 1024;

/** Fetched bundles stay beside the migrator, so that a rollback to one of them needs no store. */
const KEPT_FOLDER = "bundles";
const KEPT = 20;

export interface BundlePlace {
  /** The operations server's folder. */
  readonly folder: string;
  /** The identity that may read Azure's blob storage; null if the machine has none. */
  readonly identity: string | null;
  /** The environment's store, with a port if it is not 443: only this host gets the identity's token. */
  readonly host: string | null;
}

/** @throws OutOfReach if it can't be fetched. @throws InvalidInput if it is not the one that the record names. */
export async function fetchBundle({ url, sha256 }: Migrations, place: BundlePlace): Promise<Script[]> {
  const kept = join(place.folder, KEPT_FOLDER, `${sha256}.zip`);
  const cached = readIfThere(kept);
  if (cached !== null && digest(cached) === sha256) return readBundle(cached);
  const bytes = await fetchBytes(new URL(url), place);
  const found = digest(bytes);
  if (found !== sha256)
    throw new InvalidInput(`the bundle of migrations has the digest ${found}, the record says ${sha256}`);
  const scripts = readBundle(bytes);
  keep(kept, bytes);
  return scripts;
}

function keep(file: string, bytes: Uint8Array): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true });
  writeAtomically(file, bytes);
  const all = readdirSync(folder).map((name) => join(folder, name));
  const age = (path: string): number => statSync(path).mtimeMs;
  for (const old of all.sort((one, other) => age(other) - age(one)).slice(KEPT)) rmSync(old, { force: true });
}

function readIfThere(file: string): Uint8Array | null {
  try {
    return readFileSync(file);
  } catch {
    return null;
  }
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** @throws InvalidInput for an invalid script. */
function readBundle(zip: Uint8Array): Script[] {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(zip, {
      filter: ({ name, originalSize }) => {
        if (!/\.sql$/i.test(name)) return false;
        refuseHugeFile(name, originalSize);
        return true;
      },
    });
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    throw new InvalidInput(`the bundle of migrations is not a zip file: ${(error as Error).message}`);
  }
  return readScripts(new Map(Object.entries(files)));
}

async function fetchBytes(url: URL, { identity, host }: BundlePlace): Promise<Uint8Array> {
  if (url.protocol === "file:") {
    const bytes = readIfThere(fileURLToPath(url));
    if (bytes === null)
      throw new OutOfReach(`there is no bundle of migrations at ${url.href}: publish it again`);
    return bytes;
  }
  const headers: Record<string, string> = {};
  if (identity !== null && url.protocol === "https:" && url.host === host?.toLowerCase()) {
    headers["authorization"] = `Bearer ${await accessToken("https://storage.azure.com/", identity)}`;
    headers["x-ms-version"] = "2021-08-06";
  }
  // A redirect would get the token, too.
  const redirect = "authorization" in headers ? "manual" : "follow";
  return patiently(() => fetch(url, { headers, redirect, signal: AbortSignal.timeout(600_000) }), bounded);
}

/** The body, unless it is larger than any bundle. */
async function bounded(answer: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    bytes += part.byteLength;
    if (bytes > MOST_BYTES)
      throw new InvalidInput(
        `the bundle of migrations has more than ${MOST_BYTES} bytes: no bundle is so large`,
      );
    parts.push(part);
  }
  return Buffer.concat(parts);
}
