/**
 * The artifact store on Azure: one container of block blobs. A blob's name contains the digest of its content, so a name
 * never gets other content. Azure's SDK is loaded when it is needed.
 */
import { Failure, InvalidInput } from "../../release/failure";
import { createHash, randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import type { BlockBlobClient, ContainerClient } from "@azure/storage-blob" with {
  "resolution-mode": "import",
};
import { azureNames, blobHost, RELEASES_CONTAINER, storedUrl } from "../../configuration/azure/azure-names";
import type { AzureEnvironment } from "../../configuration/environment";
import { EXIT } from "../../release/exit-code";
import { isThisMachine } from "../../release/this-machine";
import type { Progress } from "../terminal/progress";
import { readPiece } from "./local-file";
import { codeOf, refuseCredential, refuseStorage } from "./store-refusals";

const CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING";
const SCOPE = "https://storage.azure.com/.default";
const BLOCK_BYTES = 4 * 1024 * 1024;
const BLOCKS_AT_ONCE = 4;
const RETRIES = { maxTries: 4, retryDelayInMs: 500, maxRetryDelayInMs: 5_000, tryTimeoutInMs: 120_000 };

export interface StoredBlob {
  /** In the container. */
  readonly name: string;
  readonly bytes: number;
  readonly modifiedAt: Date;
  /** Of exactly this content and its metadata. */
  readonly etag: string;
}

export interface Deposit {
  /** Where servers fetch it. */
  readonly url: string;
  readonly file: string;
  readonly sha256: string;
}

interface Transfer {
  readonly signal: AbortSignal;
  readonly onBytes: (done: number, total: number) => void;
}

export class ArtifactStore {
  private constructor(
    private readonly environment: AzureEnvironment,
    private readonly container: ContainerClient,
  ) {}

  /**
   * Uses AZURE_STORAGE_CONNECTION_STRING if it is set, as `az` does; otherwise the login.
   * @throws Failure (refused) without a login.
   */
  static async open(
    environment: AzureEnvironment,
    progress: Progress,
    env = process.env,
  ): Promise<ArtifactStore> {
    const given = env[CONNECTION_STRING];
    const container = given ? await byString(environment, given, progress) : await byIdentity(environment);
    return new ArtifactStore(environment, container);
  }

  /**
   * Uploads a file, whole or not at all: the bytes are hashed as they are sent, and committed at the end.
   * @returns false if the same content was already there.
   */
  async put(deposit: Deposit, transfer: Transfer): Promise<boolean> {
    const blob = this.container.getBlockBlobClient(this.nameOf(deposit.url));
    try {
      if (await this.holds(blob, deposit, transfer.signal)) {
        await blob.setMetadata({ sha256: deposit.sha256 }, { abortSignal: transfer.signal }); // renews the blob's date
        return false;
      }
      const isOurs = await this.upload(blob, deposit, transfer);
      if (await this.holds(blob, deposit, transfer.signal)) return isOurs;
    } catch (error) {
      throw this.explained(error, transfer.signal);
    }
    throw new Failure(`${deposit.url} is missing after its upload: publish it again`, EXIT.unexpected);
  }

  async list(prefix: string): Promise<StoredBlob[]> {
    const found: StoredBlob[] = [];
    try {
      for await (const { name, properties } of this.container.listBlobsFlat({ prefix })) {
        found.push({
          name,
          bytes: properties.contentLength ?? 0,
          modifiedAt: properties.lastModified,
          etag: properties.etag,
        });
      }
    } catch (error) {
      throw this.explained(error);
    }
    return found;
  }

  /** @returns false if it changed since it was listed, which leaves it unchanged, or is gone. */
  async remove({ name, etag }: StoredBlob): Promise<boolean> {
    try {
      await this.container.deleteBlob(name, { conditions: { ifMatch: etag }, deleteSnapshots: "include" });
      return true;
    } catch (error) {
      const { statusCode } = error as { readonly statusCode?: number };
      if (statusCode === 404 || statusCode === 412) return false;
      throw this.explained(error);
    }
  }

  urlOf(name: string): string {
    return storedUrl(this.environment, name);
  }

  private nameOf(url: string): string {
    return url.slice(storedUrl(this.environment, "").length);
  }

  /** @throws Failure if the blob has other content. */
  private async holds(
    blob: BlockBlobClient,
    { url, file, sha256 }: Deposit,
    abortSignal: AbortSignal,
  ): Promise<boolean> {
    const found = await blob.getProperties({ abortSignal }).catch((error: unknown) => {
      if (
        (error as { readonly statusCode?: number }).statusCode === 404 &&
        codeOf(error) !== "ContainerNotFound"
      )
        return null;
      throw error;
    });
    if (found === null) return false;
    const handle = await open(file, "r");
    const { size } = await handle.stat().finally(() => handle.close());
    if (found.contentLength === size) {
      if (found.metadata?.["sha256"] === sha256) return true;
      // Uploaded by another tool: its name has the digest, but only its content proves it.
      if ((await digestOf(blob, abortSignal)) === sha256) return true;
    }
    throw new Failure(
      `${url} exists with other content (${found.contentLength} bytes, not ${size}): delete that blob, then publish again`,
      EXIT.refused,
    );
  }

  /** @returns false if another process published the same file meanwhile. */
  private async upload(
    blob: BlockBlobClient,
    { file, sha256, url }: Deposit,
    transfer: Transfer,
  ): Promise<boolean> {
    const sent = await sendBlocks(blob, file, transfer);
    if (sent.sha256 !== sha256) {
      throw new Failure(
        `${file} changed while it was uploaded: publish it again when nothing writes to it`,
        EXIT.refused,
      );
    }
    try {
      await blob.commitBlockList(sent.blocks, {
        abortSignal: transfer.signal,
        conditions: { ifNoneMatch: "*" },
        metadata: { sha256 },
        blobHTTPHeaders: { blobContentType: contentType(url) },
      });
      return true;
    } catch (error) {
      if (!isTaken(error)) throw error;
      return false;
    }
  }

  private explained(error: unknown, signal?: AbortSignal): unknown {
    if (error instanceof Failure || signal?.aborted === true) return error;
    return refuseStorage(error, this.environment) ?? error;
  }
}

async function byIdentity(environment: AzureEnvironment): Promise<ContainerClient> {
  const [{ DefaultAzureCredential }, { ContainerClient }] = await Promise.all([
    import("@azure/identity"),
    import("@azure/storage-blob"),
  ]);
  const credential = new DefaultAzureCredential({ tenantId: environment.platform.tenantId });
  try {
    await credential.getToken(SCOPE);
  } catch (error) {
    throw refuseCredential(error) ?? error;
  }
  return new ContainerClient(`https://${blobHost(environment)}/${RELEASES_CONTAINER}`, credential, {
    retryOptions: RETRIES,
  });
}

/** Records name the environment's account, so a connection string of another Azure account is a mistake. */
async function byString(
  environment: AzureEnvironment,
  given: string,
  progress: Progress,
): Promise<ContainerClient> {
  const { BlobServiceClient } = await import("@azure/storage-blob");
  let service;
  try {
    service = BlobServiceClient.fromConnectionString(given, { retryOptions: RETRIES });
  } catch {
    // The SDK's message may contain a key.
    throw new InvalidInput(`${CONNECTION_STRING} is not a connection string: correct it, or unset it`);
  }
  const { storageAccount } = azureNames(environment);
  const { accountName } = service;
  const { hostname, host } = new URL(service.url);
  if (accountName !== storageAccount) {
    if (!isThisMachine(hostname)) {
      throw new InvalidInput(
        `${CONNECTION_STRING} is for account ${accountName}, but ${environment.name} has ${storageAccount}: unset it, or set that account's`,
      );
    }
    progress.note(
      `${CONNECTION_STRING} points to ${host}: uploads go there, and addresses still name ${blobHost(environment)}`,
    );
  }
  return service.getContainerClient(RELEASES_CONTAINER);
}

/** The store checks each block on arrival; there is no blob until the blocks are committed. */
async function sendBlocks(
  blob: BlockBlobClient,
  file: string,
  { signal, onBytes }: Transfer,
): Promise<{ blocks: string[]; sha256: string }> {
  const hash = createHash("sha256");
  // Parallel uploads of the same file use other block names.
  const upload = randomBytes(8).toString("hex");
  const blocks: string[] = [];
  const underWay = new Set<Promise<void>>();
  let done = 0;
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    for (let at = 0; at < size; at += BLOCK_BYTES) {
      const block = await readPiece(handle, at, BLOCK_BYTES);
      hash.update(block);
      const id = Buffer.from(`${upload}-${String(blocks.length).padStart(6, "0")}`).toString("base64");
      blocks.push(id);
      const sending = blob
        .stageBlock(id, block, block.length, {
          abortSignal: signal,
          transactionalContentMD5: createHash("md5").update(block).digest(),
        })
        .then(() => {
          underWay.delete(sending);
          onBytes((done += block.length), size);
        });
      sending.catch(() => undefined); // reported where it is awaited
      underWay.add(sending);
      if (underWay.size >= BLOCKS_AT_ONCE) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  } finally {
    await handle.close();
  }
  return { blocks, sha256: hash.digest("hex") };
}

async function digestOf(blob: BlockBlobClient, abortSignal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const { readableStreamBody } = await blob.download(0, undefined, { abortSignal });
  for await (const piece of readableStreamBody as NodeJS.ReadableStream) hash.update(piece as Buffer);
  return hash.digest("hex");
}

function contentType(url: string): string {
  if (url.endsWith(".js")) return "text/javascript";
  return url.endsWith(".zip") ? "application/zip" : "application/gzip";
}

/** 409 or 412: the name is taken. 400: the other upload's commit discarded our blocks. */
function isTaken(error: unknown): boolean {
  const { statusCode } = error as { readonly statusCode?: number };
  return statusCode === 412 || ["BlobAlreadyExists", "InvalidBlockList"].includes(codeOf(error));
}
