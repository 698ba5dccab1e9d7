/** Fetches a release's migrations and looks whether they are what the record names. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import { readScripts, refuseHugeFile } from "../../release/migrations/scripts";
import type { Script } from "../../release/migrations/scripts";
import type { Migrations } from "../../release/release";
import { ScriptRefused } from "./refusals";
import { accessToken, patiently } from "./identity";

const BLOB_HOST = /\.blob\.core\.windows\.net$/;

/** @param identity whose token opens Azure's blob storage; null where the machine has none. */
export async function fetchBundle({ url, sha256 }: Migrations, identity: string | null): Promise<Script[]> {
  const bytes = await fetchBytes(new URL(url), identity);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256)
    throw new ScriptRefused(`the bundle of migrations has the digest ${found}, the record says ${sha256}`);
  return readBundle(bytes);
}

/** @throws InvalidInput where a script is not as it must be. */
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
    if (error instanceof Error && error.name === "InvalidInput") throw error;
    throw new ScriptRefused(`the bundle of migrations is no zip: ${(error as Error).message}`);
  }
  return readScripts(new Map(Object.entries(files)));
}

async function fetchBytes(url: URL, identity: string | null): Promise<Uint8Array> {
  if (url.protocol === "file:") return readFileSync(fileURLToPath(url));
  const headers: Record<string, string> = {};
  if (identity !== null && BLOB_HOST.test(url.host)) {
    headers["authorization"] = `Bearer ${await accessToken("https://storage.azure.com/", identity)}`;
    headers["x-ms-version"] = "2021-08-06";
  }
  const answer = await patiently(() => fetch(url, { headers, signal: AbortSignal.timeout(600_000) }));
  return new Uint8Array(await answer.arrayBuffer());
}
