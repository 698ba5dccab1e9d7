/** Artifacts in the environment's own storage: fetched with a token of the machine's identity, which nobody else sees. */
import * as fs from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { base64, eachTestHasAServer, expectFailure, type Installation, type Parameters } from "./server";
import { until } from "../../../development/testbed/processes";

const server = eachTestHasAServer();
const IDENTITY =
  "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/rg-(demo)_1.x/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-web";
const TOKEN = "eyJ0.SECRET-token_~+/x==";

type Reply = number | ((response: ServerResponse) => void);

/** Answers with the given replies in order, the last one for ever. */
async function serves(
  ...replies: readonly Reply[]
): Promise<{ address: string; host: string; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const address = await server().serve((asked, response) => {
    const reply = replies[Math.min(seen.length, replies.length - 1)]!;
    seen.push(asked);
    if (typeof reply === "function") return reply(response);
    response.statusCode = reply;
    response.end(
      reply === 403 ? "\ufeff<?xml?><Error><Code>AuthorizationPermissionMismatch</Code></Error>" : "",
    );
  });
  return { address, host: address.slice("http://".length), seen };
}

const json =
  (value: unknown): Reply =>
  (response) =>
    void response.end(typeof value === "string" ? value : JSON.stringify(value));
const gives = json({ access_token: TOKEN, expires_in: "86399", token_type: "Bearer" });
const redirects =
  (to: string): Reply =>
  (response) =>
    void response.writeHead(302, { location: to }).end();

interface Fetch extends Parameters {
  readonly ARTIFACT_HOST: string;
  readonly IMDS_ENDPOINT: string;
}

/** Installs a good application from `${address}/c/a.zip`. */
async function install(address: string, parameters: Fetch, sha256?: string): Promise<Installation> {
  const artifact = server().application();
  return server().install(
    server().parameters(1, sha256 === undefined ? artifact : { ...artifact, sha256 }, {
      ARTIFACT_URL_BASE64: base64(`${address}/c/a.zip`),
      IDENTITY,
      PREPARE_SECONDS: "60",
      ...parameters,
    }),
  );
}

const application: Reply = (response) => void response.end(fs.readFileSync(server().application().file));

/** Exit 4, said in one line, and the token is nowhere. */
function failed(outcome: Installation, because: RegExp): void {
  expectFailure(outcome, 4);
  expect(outcome.stderr).toMatch(/^install: [ -~]+\n$/);
  expect(outcome.stderr).toMatch(because);
  expect(outcome.stdout + outcome.stderr).not.toContain("SECRET");
  expect(filesWithToken(server().root)).toEqual([]);
}

function holdsToken(file: string): boolean {
  try {
    return fs.readFileSync(file).includes("SECRET-token");
  } catch {
    return false; // not ours to read, or gone
  }
}

function filesWithToken(folder: string): string[] {
  const files = fs.readdirSync(folder, { withFileTypes: true, recursive: true });
  return files
    .filter((file) => file.isFile())
    .map((file) => `${file.parentPath}/${file.name}`)
    .filter(holdsToken);
}

test("asks the metadata service for this identity's token, and storage for the artifact with it", async () => {
  const [imds, blob] = [await serves(gives), await serves(application)];
  const outcome = await install(blob.address, {
    ARTIFACT_HOST: blob.host.toUpperCase(),
    IMDS_ENDPOINT: imds.address,
    http_proxy: "http://127.0.0.1:1",
  });
  expect(outcome).toMatchObject({ code: 0, stderr: "", result: { outcome: "installed" } });

  expect(imds.seen).toHaveLength(1);
  expect(imds.seen[0]!.headers["metadata"]).toBe("true");
  expect(imds.seen[0]!.url).toBe(
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F" +
      `&msi_res_id=${IDENTITY.replaceAll("/", "%2F").replace("(", "%28").replace(")", "%29")}`,
  );
  expect(blob.seen).toHaveLength(1);
  expect(blob.seen[0]!.headers).toMatchObject({
    authorization: `Bearer ${TOKEN}`,
    "x-ms-version": "2021-08-06",
  });
  expect(filesWithToken(server().root)).toEqual([]);
});

test("the token is in no process's arguments or environment", async () => {
  let running: ServerResponse | undefined;
  const [imds, blob] = [await serves(gives), await serves((response) => void (running = response))];
  const outcome = install(blob.address, { ARTIFACT_HOST: blob.host, IMDS_ENDPOINT: imds.address });
  await until(() => running !== undefined, "the download runs");
  const told = fs
    .readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => ["cmdline", "environ"].map((file) => `/proc/${pid}/${file}`))
    .filter(holdsToken);
  expect(told).toEqual([]);
  running!.end(fs.readFileSync(server().application().file));
  expect(await outcome).toMatchObject({ code: 0 });
});

test("without IDENTITY the machine's only identity is asked for", async () => {
  const [imds, blob] = [await serves(gives), await serves(application)];
  const parameters = { ARTIFACT_HOST: blob.host, IMDS_ENDPOINT: imds.address, IDENTITY: "" };
  expect(await install(blob.address, parameters)).toMatchObject({ code: 0 });
  expect(imds.seen[0]!.url).not.toContain("msi_res_id");
});

test("passing trouble is waited out: the metadata service's, and storage's 403 after a role assignment", async () => {
  const imds = await serves(404, 429, 500, gives);
  const blob = await serves(403, 403, 404, 503, application);
  const outcome = await install(blob.address, { ARTIFACT_HOST: blob.host, IMDS_ENDPOINT: imds.address });
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
  expect([imds.seen.length, blob.seen.length]).toEqual([4, 5]);
});

test("an interrupted download begins again", async () => {
  const broken: Reply = (response) => {
    response.writeHead(200, { "content-length": "100000" });
    response.write("PK");
    setTimeout(() => response.destroy(), 20);
  };
  const [imds, blob] = [await serves(gives), await serves(broken, application)];
  const outcome = await install(blob.address, { ARTIFACT_HOST: blob.host, IMDS_ENDPOINT: imds.address });
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
});

test.each([
  [
    403,
    /storage answered 403 \(AuthorizationPermissionMismatch\) for 3 s: does the identity have Storage Blob Data Reader/,
  ],
  [404, /storage answered 404 for 3 s: is the artifact published at http:\/\/127/],
  [429, /storage answered 429 for 3 s: retry later/],
  [503, /storage answered 503 for 3 s: retry later/],
  [400, /storage answered 400: is http:\/\/127/],
  [401, /storage answered 401: /],
])("fail when storage says %i for good", async (status, because) => {
  const [imds, blob] = [await serves(gives), await serves(status)];
  failed(
    await install(blob.address, {
      ARTIFACT_HOST: blob.host,
      IMDS_ENDPOINT: imds.address,
      PREPARE_SECONDS: "3",
    }),
    because,
  );
  expect(blob.seen.length > 1).toBe(because.source.includes("for 3 s"));
});

test("fail when storage does not answer", async () => {
  const imds = await serves(gives);
  failed(
    await install("http://127.0.0.1:1", {
      ARTIFACT_HOST: "127.0.0.1:1",
      IMDS_ENDPOINT: imds.address,
      PREPARE_SECONDS: "3",
    }),
    /storage gave no complete answer \(curl: \(7\).*\) for 3 s: is .* reachable/,
  );
});

test("a wrong digest is what it is elsewhere", async () => {
  const [imds, blob] = [await serves(gives), await serves(application)];
  failed(
    await install(blob.address, { ARTIFACT_HOST: blob.host, IMDS_ENDPOINT: imds.address }, "0".repeat(64)),
    /the artifact's sha256 is /,
  );
});

test("no other host ever sees the token: it is fetched from without one", async () => {
  const [imds, other] = [await serves(gives), await serves(application)];
  for (const ARTIFACT_HOST of [
    "",
    "127.0.0.1",
    "127.0.0.1:1",
    `x${other.host}`,
    "acct.blob.core.windows.net",
  ]) {
    const outcome = await install(other.address, { ARTIFACT_HOST, IMDS_ENDPOINT: imds.address });
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    fs.rmSync(server().path("releases"), { recursive: true });
  }
  expect(other.seen).toHaveLength(5);
  for (const { headers } of other.seen) {
    expect(headers).not.toHaveProperty("authorization");
    expect(headers).not.toHaveProperty("x-ms-version");
  }
  expect(imds.seen).toEqual([]);
});

test("a redirect of the storage is refused, and takes no token to another host", async () => {
  const [imds, other] = [await serves(gives), await serves(application)];
  const blob = await serves(redirects(`${other.address}/c/a.zip`));
  failed(
    await install(blob.address, { ARTIFACT_HOST: blob.host, IMDS_ENDPOINT: imds.address }),
    /storage answered 302: a redirect is not followed with a token/,
  );
  expect(other.seen).toEqual([]);
});

test.each([
  "",
  "no JSON",
  "{}",
  '{"access_token":""}',
  '{"access_token":"SECRET',
  '{"access_token":"SECRET\\n"}',
  '{"access_token":"SECRET\\"\\nurl = file:///etc/passwd"}',
  '{"access_token":"SECRET x"}',
  '{"access_token":5}',
  '[{"access_token":"SECRET"}]',
  '{"access_token":"SECRET"} more',
  '{"nested":{"access_token":"SECRET"}}',
  '\0{"access_token":"SECRET\0 "}',
])("fail when the metadata service gives %j for a token", async (answer) => {
  const [imds, blob] = [await serves(json(answer)), await serves(application)];
  failed(
    await install(blob.address, { ARTIFACT_HOST: blob.host, IMDS_ENDPOINT: imds.address }),
    /no token for the identity: http:\S+ answered 200 without a readable access_token/,
  );
  expect(blob.seen).toEqual([]);
});

test("an endless answer is no token", async () => {
  const long = `{"access_token":"SECRET","more":"${"x".repeat(100_000)}"}`;
  const [imds, blob] = [await serves(json(long)), await serves(application)];
  const outcome = await install(blob.address, { ARTIFACT_HOST: blob.host, IMDS_ENDPOINT: imds.address });
  failed(outcome, /without a readable access_token/);
});

test("fail when the identity is not the machine's", async () => {
  const refuses: Reply = (response) => {
    response.statusCode = 400;
    response.end('{"error":"invalid_request","error_description":"Identity not found"}');
  };
  const [imds, blob] = [await serves(refuses), await serves(application)];
  failed(
    await install(blob.address, { ARTIFACT_HOST: blob.host, IMDS_ENDPOINT: imds.address }),
    /answered 400 \(Identity not found\): is \/subscriptions\/.*id-web assigned to this machine\?/,
  );
  expect(imds.seen).toHaveLength(1);
});

test("fail when there is no metadata service, or it never recovers", async () => {
  const blob = await serves(application);
  const parameters = { ARTIFACT_HOST: blob.host, PREPARE_SECONDS: "3" };
  failed(
    await install(blob.address, { ...parameters, IMDS_ENDPOINT: "http://127.0.0.1:1" }),
    /no token for the identity: no answer from http:\/\/127\.0\.0\.1:1 \(curl: \(7\).*\) for 3 s: is this an Azure/,
  );
  const imds = await serves(410);
  failed(
    await install(blob.address, { ...parameters, IMDS_ENDPOINT: imds.address }),
    /no token for the identity: http:\S+ answered 410 for 3 s: retry later/,
  );
  expect(blob.seen).toEqual([]);
});

test("waiting for a role ends at once with a signal", async () => {
  const [imds, blob] = [await serves(gives), await serves(403)];
  const running = server().start(
    server().parameters(1, server().application(), {
      ARTIFACT_URL_BASE64: base64(`${blob.address}/c/a.zip`),
      ARTIFACT_HOST: blob.host,
      IMDS_ENDPOINT: imds.address,
    }),
  );
  // The next pause is one of four seconds.
  await until(() => blob.seen.length >= 5, "storage refused a few times");
  process.kill(running.pid, "SIGTERM");
  const before = Date.now();
  expect(await running.done).toMatchObject({ code: 5 });
  expect(Date.now() - before).toBeLessThan(3500);
});

test.each([
  [
    "IDENTITY",
    ["x", "/subscriptions/1", `${IDENTITY}/..`, `${IDENTITY}\n`, `${IDENTITY}&x=1`, `${IDENTITY}" -o x`],
  ],
  [
    "ARTIFACT_HOST",
    ["a/b", "a b", "user@host", "https://host", "host:", "host:99999999", "a\nb", '"', "-x", "*"],
  ],
  [
    "IMDS_ENDPOINT",
    [
      "https://169.254.169.254",
      "http://169.254.169.254:80",
      "http://169.254.169.254.example.com",
      "http://example.com",
      "http://127.0.0.1@example.com",
      "http://127.0.0.1/path",
      "http://127.0.0.1:1\n",
      "file:///etc/passwd",
    ],
  ],
  ["PREPARE_SECONDS", ["-1", "0", "1.5", "x", "99999", "1\n"]],
])("every hostile %s is refused before anything is asked", async (name, values) => {
  for (const value of values) {
    const parameters = server().parameters(1, server().application(), { [name]: value });
    const outcome = await server().install(parameters);
    expectFailure(outcome, 2);
    expect(outcome.stderr).toMatch(/^install: [ -~]+\n$/);
  }
  expect(fs.existsSync(server().folder)).toBe(false);
});

const systemdRuns = fs.existsSync("/run/systemd/system");
test("SERVICE_MANAGER=auto is systemd where that runs, but not on a simulated machine", async () => {
  const parameters = { SERVICE_MANAGER: "auto", ...(systemdRuns ? { SIM_VM_ROOT: server().root } : {}) };
  const outcome = await server().install(server().parameters(1, server().application(), parameters));
  expect(outcome).toMatchObject({ code: 0, stderr: "", result: { outcome: "installed" } });
  expect(server().list("run")).toContain("blue.pid");
});
