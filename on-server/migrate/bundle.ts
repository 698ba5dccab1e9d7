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

/** Of a bundle as it is fetched, decompressed. */
const MOST_BYTES = 256 * 1024 * 1024;
const TOTAL_SECONDS = 600;
const MOST_REDIRECTS = 5;

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
  /** Without data, until it is requested again. @default 60 */
  readonly stallSeconds?: number;
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

async function fetchBytes(url: URL, { identity, host, stallSeconds = 60 }: BundlePlace): Promise<Uint8Array> {
  if (url.protocol === "file:") return localBytes(url);
  const headers: Record<string, string> = {};
  if (identity !== null && url.protocol === "https:" && url.host === host?.toLowerCase()) {
    headers["authorization"] = `Bearer ${await accessToken("https://storage.azure.com/", identity)}`;
    headers["x-ms-version"] = "2021-08-06";
  }
  const attempt = new Attempt(stallSeconds);
  try {
    return await patiently(
      () => requested(url, headers, attempt.begin()),
      (answer) => bounded(answer, attempt),
    );
  } finally {
    attempt.end();
  }
}

/** Ends a download that gets no data, or takes too long. */
class Attempt {
  private abort = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private deadline = 0;

  constructor(private readonly stallSeconds: number) {}

  begin(): AbortSignal {
    this.end();
    this.abort = new AbortController();
    this.deadline = performance.now() + TOTAL_SECONDS * 1_000;
    this.gotData();
    return this.abort.signal;
  }

  gotData(): void {
    clearTimeout(this.timer);
    const left = this.deadline - performance.now();
    const stall = this.stallSeconds * 1_000;
    const problem =
      left < stall ? `not complete after ${TOTAL_SECONDS} s` : `no data for ${this.stallSeconds} s`;
    this.timer = setTimeout(() => this.abort.abort(new Error(problem)), Math.min(left, stall));
  }

  /** Closes the connection, wherever the download is. */
  end(): void {
    clearTimeout(this.timer);
    this.abort.abort();
  }
}

/** Follows redirects from https to https. Not with a token, which the other host would get. */
async function requested(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  let address = url;
  for (let hop = 0; ; hop += 1) {
    const answer = await fetch(address, { headers, redirect: "manual", signal });
    const location = answer.headers.get("location");
    if (answer.status < 300 || answer.status > 399 || location === null) return answer;
    if ("authorization" in headers || address.protocol !== "https:" || hop === MOST_REDIRECTS) return answer;
    const next = new URL(location, address);
    if (next.protocol !== "https:") return answer;
    await answer.body?.cancel();
    address = next;
  }
}

function localBytes(url: URL): Uint8Array {
  const file = fileURLToPath(url);
  const known = statSync(file, { throwIfNoEntry: false });
  if (known?.isFile() !== true) {
    throw new OutOfReach(`there is no bundle of migrations at ${url.href}: publish it again`);
  }
  refuseLarger(known.size);
  return readFileSync(file);
}

/** The body, unless it is larger than any bundle. */
async function bounded(answer: Response, attempt: Attempt): Promise<Uint8Array> {
  refuseLarger(Number(answer.headers.get("content-length") ?? 0));
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    attempt.gotData();
    bytes += part.byteLength;
    refuseLarger(bytes);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function refuseLarger(bytes: number): void {
  if (bytes > MOST_BYTES)
    throw new InvalidInput(
      `the bundle of migrations has more than ${MOST_BYTES} bytes: no bundle is so large`,
    );
}
