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

const BLOB_HOST = /\.blob\.core\.windows\.net$/;

/** Fetched bundles stay beside the migrator, so that a rollback to one of them needs no store. */
const KEPT_FOLDER = "bundles";
const KEPT = 20;

export interface BundlePlace {
  /** The operations server's folder. */
  readonly folder: string;
  /** The identity that may read Azure's blob storage; null if the machine has none. */
  readonly identity: string | null;
}

/** @throws OutOfReach if it can't be fetched. @throws InvalidInput if it is not the one that the record names. */
export async function fetchBundle({ url, sha256 }: Migrations, place: BundlePlace): Promise<Script[]> {
  const kept = join(place.folder, KEPT_FOLDER, `${sha256}.zip`);
  const cached = readIfThere(kept);
  if (cached !== null && digest(cached) === sha256) return readBundle(cached);
  const bytes = await fetchBytes(new URL(url), place.identity);
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

async function fetchBytes(url: URL, identity: string | null): Promise<Uint8Array> {
  if (url.protocol === "file:") {
    const bytes = readIfThere(fileURLToPath(url));
    if (bytes === null)
      throw new OutOfReach(`there is no bundle of migrations at ${url.href}: publish it again`);
    return bytes;
  }
  const headers: Record<string, string> = {};
  if (identity !== null && BLOB_HOST.test(url.host)) {
    headers["authorization"] = `Bearer ${await accessToken("https://storage.azure.com/", identity)}`;
    headers["x-ms-version"] = "2021-08-06";
  }
  return patiently(
    () => fetch(url, { headers, signal: AbortSignal.timeout(600_000) }),
    async (answer) => new Uint8Array(await answer.arrayBuffer()),
  );
}
