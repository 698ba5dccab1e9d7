/** A vendor of Terraform releases on this machine, for the tests: a real server with a real archive. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import type { RequestListener, Server } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { ZipFile } from "yazl";
import { PINNED_VERSION } from "../../../cli/terraform/pinned-release";

const PLATFORM = `${process.platform}_${process.arch === "x64" ? "amd64" : process.arch}`;
const BASE = `/terraform/${PINNED_VERSION}/terraform_${PINNED_VERSION}`;
export const ARCHIVE = `terraform_${PINNED_VERSION}_${PLATFORM}.zip`;
export const ZIP_PATH = `${BASE}_${PLATFORM}.zip`;

/** A shell script that needs nothing from PATH and answers as Terraform does. */
export function terraformScript(version: string): string {
  return `#!/bin/sh\necho '{"terraform_version":"${version}","provider_selections":{}}'\n`;
}

export async function zipOf(
  entries: Readonly<Record<string, string>>,
  options: { readonly compress: boolean } = { compress: true },
): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(entries)) zip.addBuffer(Buffer.from(content), name, options);
  zip.end();
  return await buffer(zip.outputStream);
}

/** As they are pinned for the vendor's release. */
export function digestsOf(zip: Buffer, platform = PLATFORM): Readonly<Record<string, string>> {
  return { plan9_mips: "0".repeat(64), [platform]: createHash("sha256").update(zip).digest("hex") };
}

export interface ReleaseServer {
  readonly url: string;
  readonly port: number;
  /** The paths that were asked for, in their order. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** Serves the answers by path, else 404. */
export async function serve(
  answers: Readonly<Record<string, string | Buffer | RequestListener>>,
  tls?: { readonly key: string; readonly cert: string },
): Promise<ReleaseServer> {
  const asked: string[] = [];
  const listener: RequestListener = (request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const answer = answers[path];
    if (answer === undefined) response.writeHead(404).end();
    else if (typeof answer === "function") answer(request, response);
    else response.end(answer);
  };
  const server: Server = tls === undefined ? createHttp(listener) : createHttps(tls, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    port,
    asked,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
