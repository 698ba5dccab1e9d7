/** A release's migrations come from the environment's store. Only that host gets a token, and none goes along a redirect. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createMetadata } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { strToU8, zipSync } from "fflate";
import { follow } from "../../../development/testbed/processes";
import { certificateOf } from "../director/site-certificate";

const BUNDLE = Buffer.from(zipSync({ "0001-first.sql": strToU8("CREATE TABLE notes (id int);") }));
const SHA256 = createHash("sha256").update(BUNDLE).digest("hex");
const TOKEN = "Bearer the-token";
const IDENTITY = "/subscriptions/0/id-operations";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const serves: Answer = (_, response) => void response.end(BUNDLE);

let folder: string;
let metadata: Server;
const servers: Server[] = [];
/** The Authorization headers that each store got. */
let got: Record<string, (string | undefined)[]>;

beforeAll(async () => {
  metadata = createMetadata((_, response) => {
    response.end(JSON.stringify({ access_token: "the-token" }));
  }).listen(0, "127.0.0.1");
  await once(metadata, "listening");
  servers.push(metadata);
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-bundle-"));
  writeFileSync(join(folder, "store.pem"), pem);
  got = {};
});
afterEach(() => rmSync(folder, { recursive: true }));
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections();
});

const pem = certificateOf("localhost");
/** @returns its host, with the port. */
async function store(name: string, answer: Answer): Promise<string> {
  const server = createServer({ key: pem, cert: pem }, (request, response) => {
    (got[name] ??= []).push(request.headers.authorization);
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  return `localhost:${(server.address() as AddressInfo).port}`;
}

/** In a process of its own, which trusts the stores. @returns the names of the scripts. @throws Error with the program's reason */
async function fetched(host: string, known: string | null): Promise<string[]> {
  const asked = [
    { url: `https://${host}/bundle.zip`, sha256: SHA256, newest: "0001-first.sql" },
    { folder, identity: IDENTITY, host: known },
  ];
  const program = `
    const { fetchBundle } = require(${JSON.stringify(resolve("on-server/migrate/bundle.ts"))});
    fetchBundle(...${JSON.stringify(asked)}).then(
      (scripts) => console.log(JSON.stringify(scripts.map(({ name }) => name))),
      (error) => { console.error(error.message); process.exitCode = 1; },
    );`;
  const env = {
    ...process.env,
    NODE_EXTRA_CA_CERTS: join(folder, "store.pem"),
    IMDS_ENDPOINT: `http://127.0.0.1:${(metadata.address() as AddressInfo).port}`,
  };
  const child = spawn(process.execPath, ["--require", "tsx/cjs", "--eval", program], { env });
  const { exitCode, stdout, stderr } = await follow(child).ended;
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

test("the environment's store gets the token", async () => {
  const host = await store("own", serves);
  expect(await fetched(host, host)).toEqual(["0001-first.sql"]);
  expect(got).toEqual({ own: [TOKEN] });
});

test.each<[string, (host: string) => string | null]>([
  ["another host", () => "shop.blob.core.windows.net"],
  ["a host whose name ends alike", (host) => host.replace("localhost", "host")],
  ["the same host's other port", (host) => host.replace(/:.*/, "")],
  ["no store", () => null],
])("with %s as the environment's, none goes there", async (_, known) => {
  const host = await store("other", serves);
  expect(await fetched(host, known(host))).toHaveLength(1);
  expect(got).toEqual({ other: [undefined] });
});

test("a redirect is not followed with it", async () => {
  const elsewhere = await store("elsewhere", serves);
  const host = await store("own", (_, response) => {
    response.writeHead(302, { location: `https://${elsewhere}/bundle.zip` }).end();
  });
  await expect(fetched(host, host)).rejects.toThrow(/answered 302: a redirect is not followed with a token/);
  expect(got).toEqual({ own: [TOKEN] });
});

test("one that is larger than any bundle is not read to its end", async () => {
  const part = Buffer.alloc(1024 * 1024);
  let sent = 0;
  const host = await store("endless", (_, response) => {
    function* endless() {
      for (; ; sent += 1) yield part;
    }
    // It breaks off once nobody reads on.
    pipeline(endless(), response).catch(() => undefined);
  });
  await expect(fetched(host, null)).rejects.toThrow(/more than 268435456 bytes/);
  expect(sent).toBeLessThan(400);
});
