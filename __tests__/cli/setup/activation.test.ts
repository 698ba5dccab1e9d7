/** `bluegreen doctor` warns if users can notify instances through the site, and notifies none itself. */
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import { activationCheck } from "../../../cli/setup/doctor/activation";
import { parseEnvironment } from "../../../configuration/environment-file";
import { proxyPlaces, slotEndpoints } from "../../../configuration/naming";
import { requireLocal } from "../../../configuration/platform";
import { freePortBase } from "../../../development/testbed/ports";
import { LEAST } from "../../release/examples";

const PATHS = { activate: "/internal/start-jobs", deactivate: "/internal/stop-jobs" };

let servers: Server[] = [];
let asked: string[] = [];
let environment: ReturnType<typeof environmentAt>;
beforeEach(async () => {
  [servers, asked] = [[], []];
  environment = environmentAt(await freePortBase());
});
afterEach(() => Promise.all(servers.map((server) => new Promise((closed) => server.close(closed)))));

function environmentAt(portBase: number, methods = ["POST", "POST"]) {
  const exchange = (path: string, method = "POST") => ({ path, method });
  const [activate, deactivate] = methods;
  return requireLocal(
    parseEnvironment(
      JSON.stringify({
        ...LEAST,
        platform: { kind: "local", portBase },
        activation: {
          activate: exchange(PATHS.activate, activate),
          deactivate: exchange(PATHS.deactivate, deactivate),
        },
      }),
      "it",
    ),
    "this test",
  );
}

async function listen(port: number, answer: RequestListener): Promise<void> {
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
}

const site = (answer: RequestListener) => listen(proxyPlaces(environment)[0]!.port, answer);
const instance = (answer: RequestListener) => listen(slotEndpoints(environment).blue[0]!.port, answer);
const answers =
  (status: number, body: string): RequestListener =>
  (_, response) =>
    response.writeHead(status).end(body);

const run = async () => activationCheck(environment)[0]!.run();

test("without activation there is nothing to check", () => {
  const { activation: _, ...rest } = environment;
  expect(activationCheck(rest)).toEqual([]);
});

test.each([
  ["the application accepts it", 200],
  ["the application knows the path, but not the method", 405],
  ["the application wants a login", 401],
])("a warning: %s", async (_, status) => {
  await site(answers(status, ""));
  expect(await run()).toEqual({
    status: "warning",
    found: "users can reach /internal/start-jobs and /internal/stop-jobs through the site",
    mend: "`npx cdktf deploy base`: its proxies refuse these paths",
  });
});

test("a warning: the site breaks off the first request for each path", async () => {
  const broken = new Set<string>();
  await site((request, response) => {
    if (broken.has(request.url!)) return answers(200, "")(request, response);
    broken.add(request.url!);
    response.destroy();
  });
  expect(await run()).toMatchObject({
    status: "warning",
    found: "users can reach /internal/start-jobs and /internal/stop-jobs through the site",
  });
});

test("a warning: the 404 is the application's, so the proxy passed the request on", async () => {
  await site(answers(404, "no such page in this shop"));
  await instance(answers(404, "no such page in this shop"));
  expect(await run()).toMatchObject({ status: "warning" });
});

test("good: the 404 is the proxy's", async () => {
  await site(answers(404, "Not found"));
  await instance(answers(404, "no such page in this shop"));
  expect(await run()).toEqual({
    status: "ok",
    found: "the site refuses /internal/start-jobs and /internal/stop-jobs",
    mend: null,
  });
});

test.each([
  ["nothing listens", null],
  ["nothing is deployed", 503],
])("unknown: %s", async (_, status) => {
  if (status !== null) await site(answers(status, "nothing yet"));
  expect(await run()).toMatchObject({ status: "ok", found: "not checked: the site does not answer" });
});

test.each([
  [["POST", "POST"], "OPTIONS"],
  [["OPTIONS", "POST"], "HEAD"],
  [["HEAD", "OPTIONS"], "GET"],
])("notifications with %s are not sent: it asks with %s", async (methods, method) => {
  environment = environmentAt(environment.platform.portBase, methods);
  await site(answers(404, ""));
  await instance(answers(404, ""));
  await run();
  expect(asked.length).toBeGreaterThanOrEqual(2);
  expect(asked.every((each) => each.startsWith(`${method} `))).toBe(true);
});
