/** An artifact that is given as an address alone is fetched once, to know what it hashes to and which migrations it carries. */
import { InvalidInput } from "../../release/failure";
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Progress } from "../terminal/progress";
import { downloadInto, printable } from "../terraform/download";
import { byteProgress } from "./bytes";
import { digestFile } from "./local-file";

export interface FetchLimits {
  readonly maxBytes: number;
  readonly connectSeconds: number;
  readonly idleSeconds: number;
  readonly totalSeconds: number;
}

/** Servers unpack no more than these bytes. */
const LIMITS: FetchLimits = { maxBytes: 2 ** 31, connectSeconds: 20, idleSeconds: 30, totalSeconds: 1_800 };

export interface Fetched {
  /** On this machine. */
  readonly file: string;
  readonly sha256: string;
}

/**
 * @param address one that a record may name. @param to a new file for what comes over the network.
 * @throws Failure (bad input) with the address and what went wrong there.
 */
export async function fetchArtifact(
  address: string,
  to: string,
  { signal, progress, limits = LIMITS }: FetchOptions,
): Promise<Fetched> {
  const url = new URL(address);
  const told = url.protocol === "file:" ? fileURLToPath(url) : printable(url);
  const onBytes = byteProgress(progress, `fetching ${told}`);
  try {
    if (url.protocol === "file:") {
      const { sha256 } = await digestFile(told, { signal, onBytes });
      return { file: told, sha256 };
    }
    return { file: to, sha256: await fetchInto(address, to, { signal, onBytes, limits }) };
  } catch (error) {
    if (signal.aborted) throw error;
    const why = (error as Error).message;
    const where = why.includes(told) ? why : `${told}: ${why}`;
    throw new InvalidInput(
      `${where}: correct the address, or say the digest with --sha256 and only servers fetch it`,
    );
  }
}

interface FetchOptions {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly limits?: FetchLimits;
}

async function fetchInto(
  address: string,
  to: string,
  {
    signal,
    onBytes,
    limits,
  }: { signal: AbortSignal; onBytes: (done: number, total?: number) => void; limits: FetchLimits },
): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(to, "wx", 0o600);
  const late = AbortSignal.timeout(limits.totalSeconds * 1_000);
  try {
    const take = async (piece: Buffer): Promise<void> => {
      hash.update(piece);
      await file.appendFile(piece);
    };
    await downloadInto(take, address, {
      env: process.env,
      ...limits,
      // As installers do: what is on this machine does not send elsewhere.
      ...(address.startsWith("http:") ? { redirects: 0 } : {}),
      signal: AbortSignal.any([signal, late]),
      onProgress: onBytes,
    });
    return hash.digest("hex");
  } catch (error) {
    if (late.aborted) throw new Error(`not complete after ${limits.totalSeconds} s`);
    throw error;
  } finally {
    await file.close();
  }
}
