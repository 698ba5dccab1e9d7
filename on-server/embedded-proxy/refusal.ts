/** Answers of the proxy itself: pages, and plain texts for what only programs and developers see. */
import { STATUS_CODES } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { htmlOf, RETRY_AFTER_SECONDS } from "../director/drivers/pages";
import type { Page } from "../director/drivers/pages";

/** The rest of a refused request is read for this time, so that its client gets to read the answer. */
const LINGER_MS = 30_000;

export function sendPage(request: IncomingMessage, response: ServerResponse, page: Page): void {
  readRest(request);
  response
    .writeHead(503, { "content-type": "text/html; charset=utf-8", "retry-after": RETRY_AFTER_SECONDS })
    .end(htmlOf(page));
}

export function refuse(request: IncomingMessage, response: ServerResponse, status: number): void {
  readRest(request);
  response
    .writeHead(status, { "content-type": "text/plain; charset=utf-8" })
    .end(`${status} ${STATUS_CODES[status]}\n`);
}

/** Without the rest of a body the next request on the connection can't be read. */
function readRest(request: IncomingMessage): void {
  if (request.complete) return;
  request.unpipe();
  request.resume();
  const limit = setTimeout(() => request.socket.destroy(), LINGER_MS).unref();
  request.once("close", () => clearTimeout(limit));
}
