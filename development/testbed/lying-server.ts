/** What a fake mirror answers instead of the file that was asked for. */
import type { RequestListener, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";

/** As fast as the other side reads, until it stops. */
function sendForEver(response: ServerResponse): void {
  const part = Buffer.alloc(65_536, "x");
  const more = (): void => {
    while (!response.destroyed && response.write(part));
  };
  response.on("drain", more);
  more();
}

/** Without Content-Length, and without an end. */
export const endless: RequestListener = (_, response) => sendForEver(response.writeHead(200));

/** Names a size that no such file has, then sends without an end. */
export const boastful: RequestListener = (_, response) =>
  sendForEver(response.writeHead(200, { "content-length": String(2 ** 40) }));

/** Names more bytes than it sends, and ends. */
export function truncated(bytes: Buffer): RequestListener {
  return (_, response) => {
    response.writeHead(200, { "content-length": String(bytes.length + 1_000) });
    response.write(bytes, () => response.destroy());
  };
}

/** The same length, one bit changed in its middle. */
export function changed(bytes: Buffer): RequestListener {
  const other = Buffer.from(bytes);
  const middle = Math.floor(other.length / 2);
  other[middle] = other[middle]! ^ 1;
  return (_, response) => void response.end(other);
}

/** @param mebibytes that a client has after it decompressed the body. */
export function compressed(mebibytes: number): RequestListener {
  const body = gzipSync(Buffer.alloc(mebibytes * 1024 * 1024));
  return (_, response) => void response.writeHead(200, { "content-encoding": "gzip" }).end(body);
}

/** Begins, then sends nothing more. */
export const stalling: RequestListener = (_, response) =>
  void response.writeHead(200, { "content-length": "100000" }).write("PK");

export function redirecting(location: string): RequestListener {
  return (_, response) => void response.writeHead(302, { location }).end();
}
