/** What counts as a good answer, over real HTTP. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import * as z from "zod/mini";
import { createServer as createTlsServer } from "node:https";
import { selfSignedCertificate } from "../../../development/testbed/tds-server/certificate";
import { httpProbe, httpTry } from "../../../on-server/director/probe";
import { HttpExchange } from "../../../configuration/http-exchange";
import { Verification } from "../../../configuration/verification";

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const endpoint = () => ({
  server: "web-1",
  host: "127.0.0.1",
  port: (server.address() as AddressInfo).port,
});

beforeAll(async () => {
  server = createServer((request, response) => answer(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const probe = (verification: object, expected: string | null = "1.0.0-1") =>
  httpProbe(z.parse(Verification, { timeoutSeconds: 0.3, ...verification }), "http1")(endpoint(), expected);

type Reply = { status?: number; headers?: Record<string, string>; body?: string };
const replies = ({ status = 200, headers = {}, body = "" }: Reply) => {
  answer = (_, response) => {
    response.writeHead(status, { "x-release-id": "1.0.0-1", ...headers }).end(body);
  };
};

test.each<[string, object, Reply, string]>([
  ["a healthy answer", {}, {}, ""],
  ["another status", {}, { status: 503 }, "answers 503, not 200"],
  [
    "a redirect, which is not followed",
    {},
    { status: 302, headers: { location: "/" } },
    "answers 302, not 200",
  ],
  ["a redirect that is expected", { status: 302 }, { status: 302 }, ""],
  ["another release", {}, { headers: { "x-release-id": "0.9.0-1" } }, "answers as 0.9.0-1, not 1.0.0-1"],
  ["a body that matches", { bodyPattern: "database: (up|ok)" }, { body: "a\ndatabase: ok\n" }, ""],
  [
    "a body that does not",
    { bodyPattern: "^database: up$" },
    { body: "database: down" },
    "answers with a body that does not match ^database: up$",
  ],
  [
    "a header that matches",
    { headerPatterns: { "Content-Type": "json" } },
    { headers: { "content-type": "text/json" } },
    "",
  ],
  [
    "a header that is missing",
    { headerPatterns: { "x-region": "." } },
    {},
    "answers with x-region that does not match .",
  ],
  ["a release id in the body", { releaseHeader: null }, { body: '{"release":"1.0.0-1"}' }, ""],
  [
    "a longer release id in the body",
    { releaseHeader: null },
    { body: '{"release":"1.0.0-11"}' },
    "answers as no release, not 1.0.0-1",
  ],
])("%s", async (_, verification, reply, problem) => {
  replies(reply);
  expect(await probe(verification)).toMatchObject({ healthy: problem === "", problem });
});

test("the public host is sent", async () => {
  let host: string | undefined;
  answer = (request, response) => {
    host = request.headers.host;
    response.writeHead(200, { "x-release-id": "1.0.0-1" }).end();
  };
  expect((await probe({ host: "www.example.org" })).healthy).toBe(true);
  expect(host).toBe("www.example.org");
});

test.each(["headers", "body"])("no whole answer in time: the %s never end", async (what) => {
  answer = (_, response) => {
    if (what === "body") response.writeHead(200, { "x-release-id": "1.0.0-1" }).write("a");
  };
  expect(await probe({})).toMatchObject({ healthy: false, problem: "no answer within 0.3 s" });
});

test("nobody listens", async () => {
  const verification = z.parse(Verification, {});
  const nowhere = { server: "web-1", host: "127.0.0.1", port: 1 };
  expect(await httpProbe(verification, "http1")(nowhere, null)).toEqual({
    healthy: false,
    releaseId: null,
    problem: "ECONNREFUSED",
    milliseconds: null,
  });
});

test("a smoke request is sent as it is written, and its answer compared", async () => {
  let got = "";
  answer = (request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      got = `${request.method} ${request.url} ${request.headers.host} ${request.headers["x-test"]} ${body}`;
      response.writeHead(201).end("created 17");
    });
  };
  const attempt = httpTry(z.parse(Verification, { host: "shop.example" }), "http1");
  const exchange = (changes: object) =>
    z.parse(HttpExchange, {
      ...{ method: "POST", path: "/goals?draft=1", headers: { "x-test": "1" }, body: "título" },
      ...{ status: 201, bodyPattern: "^created \\d+$" },
      ...changes,
    });
  expect(await attempt(endpoint(), exchange({}))).toMatchObject({ problem: "" });
  expect(got).toBe("POST /goals?draft=1 shop.example 1 título");
  expect(await attempt(endpoint(), exchange({ status: 200 }))).toMatchObject({
    problem: "POST /goals?draft=1: answers 201, not 200",
  });
});

test("the proxy's port may have TLS, with a certificate for the site's name", async () => {
  const { certificate: cert, key } = selfSignedCertificate();
  let name: unknown;
  const secure = createTlsServer({ cert, key }, (request, response) => {
    name = (request.socket as TLSSocket).servername;
    response.writeHead(200, { "x-release-id": "1.0.0-1" }).end(request.headers.host);
  }).listen(0, "127.0.0.1");
  await once(secure, "listening");
  const { port } = secure.address() as AddressInfo;
  const seen = await httpProbe(
    z.parse(Verification, { host: "shop.example:8443", bodyPattern: "^shop" }),
    "http1",
  )({ server: "proxy-1", host: "127.0.0.1", port, entrance: "https" }, null);
  secure.closeAllConnections();
  secure.close();
  expect(seen).toMatchObject({ healthy: true, releaseId: "1.0.0-1" });
  expect(name).toBe("shop.example");
});
