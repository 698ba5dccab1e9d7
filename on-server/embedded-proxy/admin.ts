/** The director's side of the embedded proxy: a server on a Unix socket. */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** Requests of the director by method and path; each returns the new state, or throws if the request is invalid. */
export type AdminRequests = Readonly<Record<string, (asked: unknown) => unknown>>;

export function adminServer(requests: AdminRequests): Server {
  return createServer((request, response) => void perform(requests, request, response));
}

async function perform(
  requests: AdminRequests,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const name = `${request.method} ${request.url}`;
    const asked = requests[name];
    if (asked === undefined) throw new Error(`there is no ${name}`);
    const body = Buffer.concat(chunks).toString();
    response.end(JSON.stringify(asked(body === "" ? null : JSON.parse(body))));
  } catch (error) {
    response.writeHead(400).end((error as Error).message);
  }
}
