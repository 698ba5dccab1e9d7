/** A hook that is a request: what the other side gets, what counts as a yes, and that secrets stay secret. */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readdirSync, readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { until } from "../../end-to-end/world";
import { Project } from "./hook";

const SECRET = "Bearer s3cret-4711";
const FACTS = { formatVersion: 1, text: 'ä "quoted" $(touch hacked)\n' };

let project: Project;
let server: Server;
let origin: string;
let requests: { method: string; url: string; headers: IncomingMessage["headers"]; body: string }[];
let answer: (response: ServerResponse) => void;

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      requests.push({ method: request.method!, url: request.url!, headers: request.headers, body });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  project = new Project();
  requests = [];
  answer = (response) => response.end("ok\n");
});
afterEach(() => project.remove());

test("the facts are posted as JSON, once, and a 2xx is a yes", async () => {
  answer = (response) => response.writeHead(202).end("thanks\n");
  const { exitCode, last } = await project.run({ webhook: `${origin}/approve?a=1&b=[2]` }, FACTS);
  expect(exitCode).toBe(0);
  expect(last).toMatch(/^hook 'smoke' before switch passed in .* s: thanks$/);
  expect(requests).toEqual([
    expect.objectContaining({
      method: "POST",
      url: "/approve?a=1&b=[2]",
      headers: expect.objectContaining({ "content-type": "application/json", "user-agent": "bluegreen" }),
    }),
  ]);
  expect(JSON.parse(requests[0]!.body)).toEqual(FACTS);
});

test.each([
  [500, "no disk", "the answer was 500: no disk"],
  [403, "", "the answer was 403"],
  [404, "not here", "the answer was 404: not here"],
  [302, "elsewhere", "the answer was 302: elsewhere"],
])("status %i is a no", async (status, body, said) => {
  answer = (response) => response.writeHead(status, { location: `${origin}/other` }).end(body);
  const { exitCode, run } = await project.run({ webhook: origin });
  expect(exitCode).toBe(4);
  expect(run).toMatchObject({ exitCode: 22, lastLine: said });
  expect(requests).toHaveLength(1);
});

test("nobody there is a no", async () => {
  const { exitCode, run } = await project.run({ webhook: "http://127.0.0.1:9/" });
  expect(exitCode).toBe(4);
  expect(run).toMatchObject({ exitCode: 7, lastLine: expect.stringMatching(/127\.0\.0\.1(:| port )9\b/) });
});

test("no answer in time is a no, and no secret is on any command line meanwhile", async () => {
  answer = () => undefined;
  const hook = {
    webhook: "env:CHAT_URL",
    headers: { authorization: "env:CHAT_TOKEN" },
    timeoutSeconds: 1,
  };
  const running = project.start(hook, FACTS, { CHAT_URL: `${origin}/s3cret-path`, CHAT_TOKEN: SECRET });
  await until(() => requests.length === 1, "the request came");
  const lines = commandLines();
  const { exitCode, last, stderr } = await running.ended;
  expect(exitCode).toBe(4);
  expect(last).toMatch(/failed with exit code 124 in [1-4]\.\d s: it did not end within 1 s$/);
  expect(lines.some((line) => line.includes("curl"))).toBe(true);
  expect([...lines, stderr].filter((line) => line.includes("s3cret"))).toEqual([]);
  expect(requests[0]).toMatchObject({ url: "/s3cret-path", headers: { authorization: SECRET } });
});

test("headers arrive as they are, from the file and from the environment", async () => {
  const headers = {
    "x-plain": String.raw`a "b" \n \ ${"${x}"} $(id) %{y}; c`,
    authorization: "env:CHAT_TOKEN",
  };
  const CHAT_TOKEN = String.raw`q"uo\te`;
  expect((await project.run({ webhook: origin, headers }, FACTS, { CHAT_TOKEN })).exitCode).toBe(0);
  expect(requests[0]!.headers).toMatchObject({ "x-plain": headers["x-plain"], authorization: CHAT_TOKEN });
});

test.each<[string, object, NodeJS.ProcessEnv, string]>([
  [
    "a header's variable that is not set",
    { headers: { authorization: "env:CHAT_TOKEN" } },
    {},
    "the environment variable CHAT_TOKEN is not set",
  ],
  [
    "a header with a line end, which would be another header",
    { headers: { authorization: "env:CHAT_TOKEN" } },
    { CHAT_TOKEN: "a\r\nx-evil: 1" },
    "the environment variable CHAT_TOKEN contains control characters",
  ],
  [
    "an address that is not set",
    { webhook: "env:CHAT_URL" },
    {},
    "the environment variable CHAT_URL is not set",
  ],
  [
    "an address that is no https",
    { webhook: "env:CHAT_URL" },
    { CHAT_URL: "http://example.org/s3cret" },
    "the webhook's address must be https://..., or http:// on the loopback address",
  ],
  [
    "an address that is a file",
    { webhook: "env:CHAT_URL" },
    { CHAT_URL: "file:///etc/passwd" },
    "the webhook's address must be https://..., or http:// on the loopback address",
  ],
])("nothing is sent with %s", async (_, hook, env, said) => {
  const { exitCode, run, stderr } = await project.run({ webhook: origin, ...hook }, FACTS, env);
  expect(exitCode).toBe(4);
  expect(run).toMatchObject({ exitCode: 2, lastLine: said });
  expect(stderr).not.toContain("s3cret");
  expect(requests).toEqual([]);
});

test("a proxy that the environment names is not asked for what is on this machine", async () => {
  const env = { http_proxy: "http://127.0.0.1:9", https_proxy: "http://127.0.0.1:9" };
  expect((await project.run({ webhook: origin }, FACTS, env)).exitCode).toBe(0);
});

function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
      } catch {
        return []; // It ended meanwhile.
      }
    });
}
