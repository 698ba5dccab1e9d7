/** Probes and smoke requests over HTTP/2, with prior knowledge. */
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import * as z from "zod/mini";
import { httpProbe, httpTry } from "../../../on-server/director/probe";
import { HttpExchange } from "../../../configuration/http-exchange";
import { Verification } from "../../../configuration/verification";

const HEADERS = { ":status": 200, "x-release-id": "1.0.0-1" };
/** gRPC's health protocol: its frame of an empty question, and of the answer SERVING. */
const GRPC_HEALTH = {
  method: "POST",
  path: "/grpc.health.v1.Health/Check",
  headers: { "content-type": "application/grpc", TE: "trailers" },
  body: "\u0000\u0000\u0000\u0000\u0000",
  bodyPattern: "\u0008\u0001$",
  headerPatterns: { "grpc-status": "^0$" },
};

let reply: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: string) => void;
const servers: { close(): void }[] = [];
let port: number;
let connection: Socket | undefined;

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  const server = createHttp2Server();
  server.on("stream", (stream, headers) => {
    let body = "";
    stream.on("error", () => undefined);
    stream.setEncoding("utf8").on("data", (text: string) => (body += text));
    stream.on("end", () => reply(stream, headers, body));
  });
  server.on("connection", (socket: Socket) => (connection = socket));
  port = await listening(server);
});
afterAll(() => servers.forEach((server) => server.close()));

const at = (of: number) => ({ server: "web-1", host: "127.0.0.1", port: of });
const verification = (changes: object = {}) => z.parse(Verification, { timeoutSeconds: 0.5, ...changes });
const probe = (changes: object = {}, of = port) =>
  httpProbe(verification(changes), "http2")(at(of), "1.0.0-1");

test("a healthy instance is asked for the path, with the public host", async () => {
  let asked: IncomingHttpHeaders = {};
  reply = (stream, headers) => {
    asked = headers;
    stream.respond(HEADERS);
    stream.end("healthy");
  };
  expect(await probe({ host: "shop.example", bodyPattern: "^healthy$" })).toMatchObject({
    healthy: true,
    releaseId: "1.0.0-1",
    problem: "",
  });
  expect(asked).toMatchObject({
    ":method": "GET",
    ":path": "/health",
    ":authority": "shop.example",
    ":scheme": "http",
  });
});

test("another status or release is a problem", async () => {
  reply = (stream) => stream.respond({ ...HEADERS, ":status": 503 }, { endStream: true });
  expect(await probe()).toMatchObject({ healthy: false, problem: "answers 503, not 200" });
  reply = (stream) => stream.respond({ ...HEADERS, "x-release-id": "0.9.0-1" }, { endStream: true });
  expect(await probe()).toMatchObject({ problem: "answers as 0.9.0-1, not 1.0.0-1" });
});

test.each<[string, typeof reply, string]>([
  ["no answer in time", () => undefined, "no answer within 0.5 s"],
  [
    "an answer that does not end",
    (stream) => void (stream.respond(HEADERS), stream.write("a")),
    "no answer within 0.5 s",
  ],
  [
    "an answer shorter than its length",
    (stream) => {
      stream.respond({ ...HEADERS, "content-length": "10" });
      stream.end("a");
    },
    "ERR_HTTP2_STREAM_ERROR",
  ],
  [
    "a connection that breaks off",
    (stream) => {
      stream.respond(HEADERS);
      stream.write("a", () => setImmediate(() => connection?.destroy()));
    },
    "no complete answer",
  ],
])("%s is a problem", async (_, misbehave, problem) => {
  reply = misbehave;
  expect(await probe()).toMatchObject({ healthy: false, releaseId: null, problem, milliseconds: null });
});

test("an instance that speaks HTTP/1.1, none, and one that closes are told apart", async () => {
  const http1 = await listening(createServer((_, response) => response.end("hello")));
  const closing = await listening(createTcpServer((socket) => socket.destroy()));
  expect(await probe({}, http1)).toMatchObject({ healthy: false, problem: "its answer is not HTTP/2" });
  expect(await probe({}, 1)).toMatchObject({ healthy: false, problem: "ECONNREFUSED" });
  expect(await probe({}, closing)).toMatchObject({ healthy: false, problem: "no complete answer" });
});

test("a smoke request may ask gRPC's health protocol, whose status is a trailer, or a header without a message", async () => {
  const attempt = () => httpTry(verification(), "http2")(at(port), z.parse(HttpExchange, GRPC_HEALTH));
  let asked = "";
  reply = (stream, headers, body) => {
    asked = `${headers[":method"]} ${headers["te"]} ${JSON.stringify(body)}`;
    stream.respond(HEADERS, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
  };
  expect(await attempt()).toMatchObject({ problem: "" });
  expect(asked).toBe(`POST trailers ${JSON.stringify(GRPC_HEALTH.body)}`);
  reply = (stream) => stream.respond({ ...HEADERS, "grpc-status": "5" }, { endStream: true });
  expect(await attempt()).toMatchObject({
    problem: expect.stringMatching(/Health\/Check: answers with a body/),
  });
});
