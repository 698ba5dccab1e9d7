/** What is seen of a page, over real HTTP. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import * as z from "zod/mini";
import { DEFAULT_HTTP_SETTINGS } from "../../../configuration/http-settings";
import { Verification } from "../../../configuration/verification";
import { describeLook, httpLook } from "../../../on-server/director/look";

const SECONDS = 0.5;
const MEBIBYTE = "x".repeat(1024 * 1024);
let server: Server;
let asked: IncomingMessage;
let answer: (response: ServerResponse) => void;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked = request;
    answer(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function look(
  path = "/",
  { tls = false, trusted = [] as string[], protocol = "http1" as "http1" | "http2", at = server } = {},
) {
  const proxy = {
    tls: tls ? { port: 443, certificate: "a.pem" } : null,
    http: { ...DEFAULT_HTTP_SETTINGS, trusted },
  };
  const verification = z.parse(Verification, { host: "www.example.com" });
  const { port } = at.address() as AddressInfo;
  const endpoint = { server: "web-1", host: "127.0.0.1", port };
  return httpLook({ verification, proxy: proxy as never }, protocol)(endpoint, path, SECONDS);
}

const HTML = { "content-type": "text/html; charset=utf-8" };

test.each<[string, (response: ServerResponse) => void, string]>([
  ["a page", (response) => response.writeHead(200, HTML).end("<h1>"), "200 text/html"],
  ["a page of white space", (response) => response.writeHead(200, HTML).end(" \n"), "200 empty"],
  ["no content", (response) => response.writeHead(204).end(), "204 empty"],
  ["content of no type", (response) => response.writeHead(200).end("a"), "200 without a content type"],
  [
    "a redirect, which is not followed",
    (response) => response.writeHead(302, { location: "/" }).end("a"),
    "302",
  ],
  ["an error", (response) => response.writeHead(500, HTML).end("a"), "500"],
  [
    "a large download",
    (response) => response.writeHead(200).end(MEBIBYTE.repeat(8)),
    "200 without a content type",
  ],
  [
    "a stream of events",
    (response) => response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n"),
    "200 text/event-stream",
  ],
  ["silence", () => undefined, "no answer (no answer within 0.5 s)"],
  [
    "an answer that breaks off",
    (response) => response.writeHead(200, { "content-length": 9 }).write("a", () => response.destroy()),
    "no answer (ECONNRESET)",
  ],
])("%s", async (_, given, seen) => {
  answer = given;
  expect(describeLook(await look())).toBe(seen);
});

test("a server that is down", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const address = other.address();
  other.close();
  await once(other, "close");
  const at = { address: () => address } as unknown as Server;
  expect(describeLook(await look("/", { at }))).toBe("no answer (ECONNREFUSED)");
});

test.each([
  [{}, "http"],
  [{ tls: true }, "https"],
  [{ trusted: ["10.0.0.0/8"] }, "https"],
])("it is asked as by a browser through the proxy: %j", async (options, scheme) => {
  answer = (response) => response.end("a");
  await look("/a/b", options);
  const { method, url, headers } = asked;
  expect({ method, url }).toEqual({ method: "GET", url: "/a/b" });
  expect(headers).toMatchObject({
    host: "www.example.com",
    accept: expect.stringMatching(/^text\/html,/) as string,
    "x-forwarded-proto": scheme,
  });
  expect(headers.cookie).toBeUndefined();
});

test("over HTTP/2, also a stream that does not end", async () => {
  const http2 = createHttp2Server((request, response) => {
    response.writeHead(200, HTML);
    if (request.url === "/stream") response.write("<h1>");
    else response.end("<h1>");
  }).listen(0, "127.0.0.1");
  await once(http2, "listening");
  const options = { protocol: "http2", at: http2 as unknown as Server } as const;
  expect(describeLook(await look("/", options))).toBe("200 text/html");
  expect(describeLook(await look("/stream", options))).toBe("200 text/html");
  http2.close();
});
