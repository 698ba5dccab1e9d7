/**
 * A store that lies to the operations server, about the migrator and about a bundle of migrations: what it sends is bounded,
 * refused with the reason, removed, and never runs.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import type { RequestListener, Server } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { strToU8, zipSync } from "fflate";
import {
  boastful,
  changed,
  compressed,
  endless,
  redirecting,
  stalling,
  truncated,
} from "../../../development/testbed/lying-server";
import { follow } from "../../../development/testbed/processes";
import { certificateOf } from "../director/site-certificate";

const pem = certificateOf("localhost");
const digest = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

let folder: string;
let servers: Server[];
/** Requests at each server, by its name. */
let asked: Record<string, number>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bluegreen-fake-mirror-"));
  writeFileSync(join(folder, "store.pem"), pem);
  [servers, asked] = [[], {}];
});
afterEach(() => {
  for (const server of servers) server.close().closeAllConnections();
  rmSync(folder, { recursive: true });
});

/** @returns its host and port. */
async function listen(name: string, server: Server, listener: RequestListener): Promise<string> {
  server.on("request", (request, response) => {
    asked[name] = (asked[name] ?? 0) + 1;
    listener(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  return `localhost:${(server.address() as AddressInfo).port}`;
}
const store = (name: string, listener: RequestListener): Promise<string> =>
  listen(name, createHttps({ key: pem, cert: pem }), listener);
const plain = (name: string, listener: RequestListener): Promise<string> =>
  listen(name, createHttp(), listener);

/** Answers with the first, then the second, and so on; the last one for ever. */
function inTurn(...listeners: readonly RequestListener[]): RequestListener {
  let turn = 0;
  return (request, response) => listeners[Math.min(turn++, listeners.length - 1)]!(request, response);
}

describe("run-migrate.sh, for the migrator", () => {
  const LIMIT = 64 * 1024 * 1024;
  const MIGRATOR = 'console.log("ran"); require("node:fs").writeFileSync(__dirname + "/ran", "");';

  async function run(listener: RequestListener, more: NodeJS.ProcessEnv = {}) {
    const metadata = await plain("metadata", (_, response) => {
      response.end('{"access_token":"the-token"}');
    });
    const host = await store("store", listener);
    let [most, running] = [0, true];
    const child = spawn("bash", [resolve("lib/on-server/migrate/run-migrate.sh")], {
      env: {
        ...process.env,
        SERVER_FOLDER: folder,
        MIGRATE_SPEC: "c3BlYw==",
        MIGRATOR_URL: `https://${host}/migrate.js`,
        MIGRATOR_SHA256: digest(MIGRATOR),
        IDENTITY: "/subscriptions/0/id-operations",
        IMDS_ENDPOINT: `http://${metadata}`,
        CURL_CA_BUNDLE: join(folder, "store.pem"),
        FETCH_RETRY_SECONDS: "0",
        ...more,
      },
    });
    const ended = follow(child).ended.finally(() => (running = false));
    while (running) {
      const size = statSync(join(folder, "migrate.js.new"), { throwIfNoEntry: false })?.size ?? 0;
      most = Math.max(most, size);
      await Promise.race([ended, new Promise((wake) => setTimeout(wake, 5))]);
    }
    return { ...(await ended), most };
  }

  const TOO_LARGE = /is larger than 67108864 bytes, so it is no migrator; nothing was changed/;
  test.each<[string, () => RequestListener, RegExp]>([
    ["sends without an end", () => endless, TOO_LARGE],
    ["names a size above the limit", () => boastful, TOO_LARGE],
    ["changes one bit", () => changed(Buffer.from(MIGRATOR)), /does not have the digest/],
    ["names more bytes than it sends", () => truncated(Buffer.from(MIGRATOR)), /can't be fetched/],
    ["compresses 128 MiB", () => compressed(128), /does not have the digest/],
    ["redirects to another host", () => redirecting("https://127.0.0.2:9/migrate.js"), /not have the digest/],
  ])("a store that %s", async (_, lie, because) => {
    const { exitCode, stdout, stderr, most } = await run(lie());
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
    expect(stderr.trim().split("\n").at(-1)).toMatch(because);
    expect(most).toBeLessThanOrEqual(LIMIT);
    expect(readdirSync(folder)).toEqual(["store.pem"]);
    expect(asked["store"]).toBe(1);
  });

  test("a store that stalls is asked again until the time is over", async () => {
    const { exitCode, stderr } = await run(stalling, { FETCH_STALL_SECONDS: "1", FETCH_RETRY_SECONDS: "4" });
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/too slow[^]*can't be fetched/);
    expect(asked["store"]).toBe(2);
    expect(readdirSync(folder)).toEqual(["store.pem"]);
  });

  test("after a refusal while a role is new, the migrator comes and runs", async () => {
    const refuses: RequestListener = (_, response) => void response.writeHead(403).end("no role yet");
    const serves: RequestListener = (_, response) => void response.end(MIGRATOR);
    const outcome = await run(inTurn(refuses, serves), { FETCH_RETRY_SECONDS: "30" });
    expect(outcome).toMatchObject({ exitCode: 0, stdout: "ran\n" });
    expect(readdirSync(folder)).toEqual(["migrate.js", "ran", "store.pem"]);
  });

  test("a person's .curlrc decides nothing", async () => {
    writeFileSync(join(folder, ".curlrc"), "url = file:///etc/hostname\nlocation\n");
    const serves: RequestListener = (_, response) => void response.end(MIGRATOR);
    expect(await run(serves, { HOME: folder })).toMatchObject({ exitCode: 0, stdout: "ran\n" });
  });
});

describe("the migrator, for a bundle", () => {
  const BUNDLE = Buffer.from(zipSync({ "0001-first.sql": strToU8("CREATE TABLE notes (id int);") }));
  const serves: RequestListener = (_, response) => void response.end(BUNDLE);

  /** In a process of its own, which trusts the stores. Its memory is VmHWM: maxRSS counts what jest had when it started it. */
  async function fetched(host: string, stallSeconds = 60) {
    const asks = [
      { url: `https://${host}/bundle.zip`, sha256: digest(BUNDLE), newest: "0001-first.sql" },
      { folder, identity: null, host: null, stallSeconds },
    ];
    const program = `
      const { fetchBundle } = require(${JSON.stringify(resolve("on-server/migrate/bundle.ts"))});
      fetchBundle(...${JSON.stringify(asks)}).then(
        (scripts) => console.log(scripts.map(({ name }) => name).join()),
        (error) => { console.error(error.message); process.exitCode = 1; },
      ).finally(() => {
        const [, kibibytes] = /^VmHWM:\\s+(\\d+) kB$/m.exec(require("node:fs").readFileSync("/proc/self/status", "utf8"));
        console.log(Math.round(kibibytes / 1024));
      });`;
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, "store.pem") };
    const child = spawn(process.execPath, ["--require", "tsx/cjs", "--eval", program], { env });
    const { exitCode, stdout, stderr } = await follow(child).ended;
    const lines = stdout.trim().split("\n");
    return { exitCode, stderr, scripts: lines.slice(0, -1), mebibytes: Number(lines.at(-1)) };
  }

  test.each<[string, () => RequestListener, RegExp]>([
    ["sends without an end", () => endless, /more than 268435456 bytes/],
    ["names a size above the limit", () => boastful, /more than 268435456 bytes/],
    ["changes one bit", () => changed(BUNDLE), /has the digest \w{64}, the record says/],
    ["compresses 1 GiB", () => compressed(1024), /more than 268435456 bytes/],
  ])("a store that %s", async (_, lie, because) => {
    const { exitCode, stderr, scripts, mebibytes } = await fetched(await store("store", lie()));
    expect({ exitCode, scripts }).toEqual({ exitCode: 1, scripts: [] });
    expect(stderr).toMatch(because);
    expect(asked["store"]).toBe(1);
    // The limit, and what Node and the program need.
    expect(mebibytes).toBeLessThan(600);
    expect(readdirSync(folder)).toEqual(["store.pem"]);
  });

  test("one that names a size above the limit is refused before its bytes are read", async () => {
    const { mebibytes } = await fetched(await store("store", boastful));
    expect(mebibytes).toBeLessThan(250);
  });

  test.each<[string, RequestListener]>([
    ["stalls", stalling],
    ["names more bytes than it sends", truncated(BUNDLE.subarray(0, 50))],
  ])("a store that %s is asked again", async (_, lie) => {
    const { exitCode, scripts, stderr } = await fetched(await store("store", inTurn(lie, serves)), 1);
    expect({ exitCode, scripts }).toEqual({ exitCode: 0, scripts: ["0001-first.sql"] });
    expect(stderr).toMatch(/^migrate: (no data for 1 s|terminated.*); retrying in 1 s$/m);
    expect(asked["store"]).toBe(2);
  });

  test("a redirect is followed to https, and to nothing else", async () => {
    const http = await plain("http", serves);
    const second = await store("second", redirecting(`http://${http}/bundle.zip`));
    expect(await fetched(second)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(
        /answered 302: a redirect is not followed with a token, from http, to any/,
      ),
    });
    const other = await store("other", serves);
    const first = await store("first", redirecting(`https://${other}/bundle.zip`));
    expect((await fetched(first)).scripts).toEqual(["0001-first.sql"]);
    expect(asked).toEqual({ other: 1, first: 1, second: 1 });
  });

  test("redirects in a circle end", async () => {
    const host = await store("circle", (request, response) => {
      response.writeHead(302, { location: request.url! }).end();
    });
    expect((await fetched(host)).stderr).toMatch(/answered 302: .*more than five times/);
    expect(asked["circle"]).toBe(6);
  });
});
