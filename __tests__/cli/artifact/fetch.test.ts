/** An artifact that is given as an address: fetched once for its digest, or not at all where the digest is known. */
import { createHash } from "node:crypto";
import type { RequestListener } from "node:http";
import { pathToFileURL } from "node:url";
import { candidateFrom } from "../../../cli/artifact/artifact";
import { fetchArtifact } from "../../../cli/artifact/fetch";
import type { FetchLimits } from "../../../cli/artifact/fetch";
import { SILENT } from "../../../cli/terminal/progress";
import { artifactUrl } from "../../../configuration/azure/azure-names";
import { requireAzure } from "../../../configuration/platform";
import { serve, zipOf } from "../terraform/release-server";
import type { ReleaseServer } from "../terraform/release-server";
import { AZURE, listening, LOCAL, Workplace } from "./workplace";

let place: Workplace;
let server: ReleaseServer;
let zip: Buffer;
const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

beforeEach(async () => {
  place = new Workplace();
  zip = await zipOf({ "server.js": "serve()", "migrations/0001-goals.sql": "CREATE TABLE goals (id int);" });
  server = await serve(answers());
});
afterEach(async () => {
  await server.close();
  // Whatever happened: nothing half is left behind.
  expect(place.kept().filter((name) => !name.startsWith("migrations-"))).toEqual([]);
  place.end();
});

function answers(): Record<string, Buffer | string | RequestListener> {
  return {
    "/app.zip": zip,
    "/page": "<!doctype html>Log in first",
    "/empty.zip": "",
    "/moved.zip": (_, response) => response.writeHead(302, { location: "/app.zip" }).end(),
    "/elsewhere.zip": (_, response) =>
      response.writeHead(302, { location: "http://example.invalid/app.zip" }).end(),
    "/truncated.zip": (_, response) => {
      response.writeHead(200, { "content-length": zip.length });
      response.write(zip.subarray(0, zip.length / 2), () => response.destroy());
    },
    "/cut.zip": (_, response) => {
      response.writeHead(200); // chunked: only the missing end tells
      response.write(zip.subarray(0, zip.length / 2), () => response.destroy());
    },
    "/silent.zip": (_, response) => void response.writeHead(200).write("PK"),
    "/drip.zip": (_, response) => {
      const timer = setInterval(() => response.write("."), 20);
      response.on("close", () => clearInterval(timer));
    },
    "/boastful.zip": (_, response) =>
      response.writeHead(200, { "content-length": 3_000_000_000 }).flushHeaders(),
    "/endless.zip": (_, response) => {
      const more = (): void => void (response.destroyed || response.write(Buffer.alloc(65_536), more));
      more();
    },
  };
}

const from = (path: string, more: { sha256?: string; environment?: string } = {}) => {
  const { progress, notes } = listening();
  const { environment = LOCAL, ...options } = more;
  const artifact = path.startsWith("/") ? server.url + path : path;
  const candidate = candidateFrom(place.project(environment), "1.4.0", { artifact, ...options }, progress);
  return candidate.then((told) => ({ candidate: told, notes }));
};

test("the digest is computed and said, and the migrations are found", async () => {
  const { candidate, notes } = await from("/app.zip");
  expect(candidate).toMatchObject({
    version: "1.4.0",
    artifact: { url: `${server.url}/app.zip`, sha256: sha256(zip) },
    migrations: { newest: "0001-goals.sql" },
  });
  expect(notes).toEqual([`computed the digest; pin it with --sha256 ${sha256(zip)}`]);
  expect(server.asked).toEqual(["/app.zip"]);
});

test("with --sha256 nothing is fetched: servers check it", async () => {
  const digest = "a".repeat(64);
  const { candidate } = await from("/app.zip", { sha256: digest });
  expect(candidate).toEqual({ version: "1.4.0", artifact: { url: `${server.url}/app.zip`, sha256: digest } });
  expect(server.asked).toEqual([]);
});

test("a file:// address is read where it is", async () => {
  const url = pathToFileURL(place.write("packages/app one.zip", zip)).href;
  expect((await from(url)).candidate.artifact).toEqual({ url, sha256: sha256(zip) });
});

test("on Azure alike; migrations that nobody published yet are said", async () => {
  place.changeEnvironment(AZURE, (environment) => ({
    ...environment,
    platform: {
      ...environment.platform,
      database: { administrators: { group: "people", objectId: "00000000-0000-0000-0000-000000000002" } },
    },
  }));
  const { candidate, notes } = await from("/app.zip", { environment: AZURE });
  expect(candidate.artifact).toEqual({ url: `${server.url}/app.zip`, sha256: sha256(zip) });
  expect(notes.at(-1)).toMatch(
    /publish them at https:\S+\/migrations\/\w{64}\.zip first: bluegreen publish 1\.4\.0 --migrations \S+\.zip$/,
  );
});

test("an address in the environment's own store says its digest itself", async () => {
  const digest = "b".repeat(64);
  const url = artifactUrl(requireAzure(place.project(AZURE).environment), "1.4.0", digest, ".tar.gz");
  expect((await from(url, { environment: AZURE })).candidate.artifact).toEqual({ url, sha256: digest });
});

test.each<[string, string, RegExp]>([
  [
    "that is not there",
    "/nowhere.zip",
    /\/nowhere\.zip: HTTP status 404: correct the address, or give the digest/,
  ],
  ["that ends half way", "/truncated.zip", /\/truncated\.zip: .*(closed|terminated|length)/],
  ["that is cut off", "/cut.zip", /\/cut\.zip: .*(closed|terminated|aborted)/],
  ["that redirects", "/moved.zip", /\/moved\.zip: it redirects/],
  ["that redirects to plain http elsewhere", "/elsewhere.zip", /it redirects/],
  ["that says it is too large", "/boastful.zip", /refused: larger than 2147483648 bytes/],
  ["of a page", "/page", /\/page is neither a zip nor a \.tar\.gz: is it a web page/],
  ["of nothing", "/empty.zip", /neither a zip nor/],
  ["that nobody serves", "http://127.0.0.1:9/a.zip", /127\.0\.0\.1:9\/a\.zip: .*ECONNREFUSED/],
  ["of plain http", "http://example.invalid/a.zip", /is not an artifact address/],
  ["of another protocol", "ftp://example.invalid/a.zip", /is not an artifact address/],
  ["with a password", "https://me:secret@example.invalid/a.zip", /is not an artifact address/],
  ["of a file that is not there", "file:///no/such.zip", /ENOENT.*\/no\/such\.zip/],
])("refuses an address %s", async (_, address, says) => {
  await expect(from(address)).rejects.toMatchObject({ exitCode: 2, message: expect.stringMatching(says) });
  await expect(from(address)).rejects.not.toThrow(/secret@/);
});

test("a file of the servers on Azure can't be read from here", async () => {
  await expect(from("file:///srv/app.zip", { environment: AZURE })).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(/is a file on the servers/),
  });
});

test.each<[string, string, Partial<FetchLimits>, RegExp]>([
  ["falls silent", "/silent.zip", { idleSeconds: 0.2 }, /no data for 0\.2 s/],
  ["never ends, drop by drop", "/drip.zip", { totalSeconds: 0.3 }, /not complete after 0\.3 s/],
  ["never ends, in a stream", "/endless.zip", { maxBytes: 1_000_000 }, /larger than 1000000 bytes/],
])("gives up on an address that %s", async (_, path, limits, says) => {
  const options = {
    signal: new AbortController().signal,
    progress: SILENT,
    limits: { maxBytes: 2 ** 31, connectSeconds: 5, idleSeconds: 30, totalSeconds: 30, ...limits },
  };
  await expect(fetchArtifact(server.url + path, place.path("fetched"), options)).rejects.toThrow(says);
});

test("Ctrl-C while it is fetched", async () => {
  const fetching = from("/silent.zip");
  while (server.asked.length === 0) await new Promise(setImmediate);
  process.emit("SIGINT", "SIGINT");
  await expect(fetching).rejects.toMatchObject({
    exitCode: 5,
    message: "stopped by SIGINT: nothing was released",
  });
});
