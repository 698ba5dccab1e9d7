/** Fetches an artifact given by its address alone, to learn its digest and its migrations. */
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

/** `maxBytes` is the most that servers unpack. */
const LIMITS: FetchLimits = { maxBytes: 2 ** 31, connectSeconds: 20, idleSeconds: 30, totalSeconds: 1_800 };

export interface Fetched {
  /** On this machine. */
  readonly file: string;
  readonly sha256: string;
}

/**
 * @param address one that a record may name. @param to a new file for a download.
 * @throws Failure (bad input) with the address and the cause.
 */
export async function fetchArtifact(
  address: string,
  to: string,
  { signal, progress, limits = LIMITS }: FetchOptions,
): Promise<Fetched> {
  const url = new URL(address);
  const shown = url.protocol === "file:" ? fileURLToPath(url) : printable(url);
  const onBytes = byteProgress(progress, `fetching ${shown}`);
  try {
    if (url.protocol === "file:") {
      const { sha256 } = await digestFile(shown, { signal, onBytes });
      return { file: shown, sha256 };
    }
    return { file: to, sha256: await fetchInto(address, to, { signal, onBytes, limits }) };
  } catch (error) {
    if (signal.aborted) throw error;
    const cause = (error as Error).message;
    const located = cause.includes(shown) ? cause : `${shown}: ${cause}`;
    throw new InvalidInput(
      `${located}: correct the address, or give the digest with --sha256, and only the servers fetch it`,
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
      // As installers do: a service on this machine must not redirect elsewhere.
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
