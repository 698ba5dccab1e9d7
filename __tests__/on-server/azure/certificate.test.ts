/** A proxy's certificate: from Key Vault (a stand-in of it) to real HAProxy, while users are served. */
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as tls from "node:tls";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import { trafficMap } from "../../../on-server/director/drivers/haproxy/traffic-map";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { Backend, proxySpec } from "../director/proxy-under-test";
import { until } from "../../../development/testbed/processes";
import { eachTestHasAMachine, haproxyIsHere, PATH, type Ended, type Parameters } from "./machine";
import { freePort } from "../../../development/testbed/ports";

const machine = eachTestHasAMachine();
const HOST = "127.0.0.1";
const TOKEN = "eyJ0.SECRET-token_~+/x==";
const IDENTITY =
  "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/rg-demo/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-proxy";

/** IMDS and a vault in one. */
class Azure {
  readonly asked: http.IncomingMessage[] = [];
  /** Answers of the vault in order; the last one for ever. */
  vault: readonly (object | number)[] = [404];
  imds: readonly (string | number)[] = [JSON.stringify({ access_token: TOKEN })];
  private readonly count = { vault: 0, imds: 0 };
  private readonly server = http.createServer((asked, response) => {
    this.asked.push(asked);
    const who = asked.url!.startsWith("/metadata/") ? "imds" : "vault";
    const answer = this[who][Math.min(this.count[who]++, this[who].length - 1)]!;
    if (typeof answer === "number") {
      response.statusCode = answer;
      return response.end(
        JSON.stringify({ error: { code: answer === 404 ? "SecretNotFound" : "Forbidden" } }),
      );
    }
    return response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, HOST, resolve));
    return this;
  }

  /** @param then what the vault answers from now on. */
  answers(...then: readonly (object | number)[]): void {
    this.vault = then;
    this.count.vault = 0;
  }

  parameters(): Parameters {
    const address = `${HOST}:${(this.server.address() as AddressInfo).port}`;
    return {
      TLS_CERTIFICATE: "site",
      KEY_VAULT_HOST: address,
      IMDS_ENDPOINT: `http://${address}`,
      IDENTITY,
      CERTIFICATE_RETRY_SECONDS: "2",
    };
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

let azure: Azure;
let load = { answered: 0, lost: [] as string[], stopped: false };
let blue: Backend;
let spec: DirectorSpec;
beforeEach(async () => {
  load = { answered: 0, lost: [], stopped: false };
  azure = await new Azure().start();
  blue = new Backend("blue", await freePort(HOST));
  await blue.start();
  const plain = proxySpec({ driver: "haproxy", topology: "sideBySide", servers: 1 });
  const endpoints = [{ server: "web-1", host: HOST, port: blue.port }];
  const encrypted = { port: await freePort(HOST), certificate: "tls/site.pem" };
  spec = {
    ...plain,
    endpoints: { blue: endpoints, green: endpoints },
    proxy: { ...plain.proxy, port: await freePort(HOST), tls: encrypted },
  };
});
afterEach(async () => {
  load.stopped = true;
  azure.close();
  await blue.stop();
});

interface Pair {
  readonly key: string;
  readonly certificate: string;
}

let made = 0;
/** A self-signed certificate of a name, and its key; valid for some weeks, or from one year to the next. */
function pair(name: string, year?: number): Pair {
  const folder = path.join(machine().root, `pair-${(made += 1)}`);
  fs.mkdirSync(folder);
  const openssl = (...options: string[]): void =>
    void execFileSync("openssl", options, { cwd: folder, stdio: "pipe" });
  const request = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${name}`, "-keyout", "key"];
  if (year === undefined) {
    openssl(...request, "-x509", "-days", "30", "-out", "certificate");
  } else {
    fs.writeFileSync(
      path.join(folder, "ca.cnf"),
      "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n",
    );
    fs.writeFileSync(path.join(folder, "index"), "");
    fs.writeFileSync(path.join(folder, "serial"), "01\n");
    openssl(...request, "-new", "-out", "csr");
    const period = ["-startdate", `${year}0101000000Z`, "-enddate", `${year + 1}0101000000Z`];
    const files = ["-keyfile", "key", "-in", "csr", "-out", "certificate"];
    openssl("ca", "-batch", "-config", "ca.cnf", "-selfsign", "-notext", ...files, ...period);
  }
  const read = (file: string): string => fs.readFileSync(path.join(folder, file), "utf8");
  return { key: read("key"), certificate: read("certificate") };
}

const pem = ({ key, certificate }: Pair, ...chain: Pair[]): object => ({
  value: key + "\n" + chain.map((each) => each.certificate + "\n").join("") + certificate,
  contentType: "application/x-pem-file",
});

function pkcs12({ key, certificate }: Pair, ...options: string[]): object {
  const value = execFileSync("openssl", ["pkcs12", "-export", "-passout", "pass:", ...options], {
    input: key + certificate,
    stdio: "pipe",
  });
  return { value: value.toString("base64"), contentType: "application/x-pkcs12" };
}

/** The name in the certificate that users get. */
function served(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: HOST, port: spec.proxy.tls!.port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN as string);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

function setUp(parameters: Parameters = {}): Promise<Ended> {
  return machine().setUpProxy(spec, { ...azure.parameters(), ...parameters });
}

/** What the timer does. */
async function timer(parameters: Parameters = {}): Promise<Ended> {
  const given = Object.entries({ RETRY_SECONDS: "2", ...parameters }).map(
    ([name, value]) => `${name}='${value}'`,
  );
  const text = `cd "${machine().path()}"; set -a; . ./certificate.env; exec env ${given.join(" ")} bash fetch-certificate.sh\n`;
  const outcome = await machine().run(text);
  expect(outcome.stdout + outcome.stderr).not.toMatch(/SECRET|PRIVATE/);
  return outcome;
}

function get(
  protocol: typeof http | typeof https,
  port: number,
  url: string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    protocol
      .get(
        {
          host: HOST,
          port,
          path: url,
          agent: false,
          rejectUnauthorized: false,
          headers: { host: "shop.example:80", ...headers },
        },
        (response) => {
          response.resume();
          resolve(response);
        },
      )
      .on("error", reject);
  });
}

function goLive(): void {
  fs.writeFileSync(machine().path("traffic.map"), trafficMap({ ...CLOSED, live: "blue" }));
}

const workers = (): number[] => machine().processes("haproxy").sort();

(haproxyIsHere ? describe : describe.skip)("a proxy with TLS", () => {
  test("serves the vault's certificate, and tells users of plain HTTP where to go", async () => {
    azure.answers(pem(pair("one")));
    expect(await setUp()).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining(
        `is a proxy on ${HOST}:${spec.proxy.port} ${HOST}:${spec.proxy.tls!.port}: started`,
      ),
    });
    expect(await served()).toBe("one");
    const [identity, vault] = azure.asked;
    expect(identity!.headers).toMatchObject({ metadata: "true" });
    expect(identity!.url).toBe(
      `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net&msi_res_id=${encodeURIComponent(IDENTITY)}`,
    );
    expect(vault!.url).toBe("/secrets/site?api-version=7.4");
    expect(vault!.headers.authorization).toBe(`Bearer ${TOKEN}`);

    const { port } = spec.proxy;
    const redirect = await get(http, port, "/a/b?x=1&y=2");
    expect(redirect.statusCode).toBe(308);
    expect(redirect.headers.location).toBe(`https://shop.example:${spec.proxy.tls!.port}/a/b?x=1&y=2`);
    expect((await get(http, port, "/proxy-healthz")).statusCode).toBe(200);
    expect((await get(https, spec.proxy.tls!.port, "/proxy-healthz")).statusCode).toBe(200);

    const { mode, uid } = fs.statSync(machine().path("tls/site.pem"));
    expect({ mode: mode & 0o777, uid }).toEqual({ mode: 0o600, uid: process.getuid!() });
    expect(fs.statSync(machine().path("tls")).mode & 0o007).toBe(0);
    expect(fs.readdirSync(machine().path("tls")).sort()).toEqual([".lock", "fetched", "site.pem"]);
    const { stdout } = spawnSync(
      "openssl",
      ["s_client", "-connect", `${HOST}:${spec.proxy.tls!.port}`, "-tls1_1"],
      { input: "", encoding: "utf8" },
    );
    expect(stdout).toMatch(/Cipher is \(NONE\)|no peer certificate/);
  });

  test("the application is told the scheme, whatever a client says", async () => {
    azure.answers(pem(pair("one")));
    await setUp();
    const seen: (string | undefined)[] = [];
    const listener = http.createServer((asked, response) => {
      seen.push(asked.headers["x-forwarded-proto"] as string | undefined);
      response.end();
    });
    await blue.stop();
    await new Promise<void>((resolve) => listener.listen(blue.port, HOST, resolve));
    goLive();
    for (const pid of workers()) process.kill(pid, "SIGKILL");
    await until(() => workers().length === 0, "it is gone");
    await setUp();
    seen.length = 0;
    const answer = await get(https, spec.proxy.tls!.port, "/", { "x-forwarded-proto": "gopher" });
    expect(answer.statusCode).toBe(200);
    expect(seen.filter((each) => each !== undefined)).toEqual(["https"]);
    listener.closeAllConnections();
    listener.close();
  });

  test("certificates are swapped while users are served: no reload, nothing lost", async () => {
    azure.answers(pem(pair("one")));
    await setUp();
    goLive();
    for (const pid of workers()) process.kill(pid, "SIGKILL");
    await until(() => workers().length === 0, "it is gone");
    await setUp();
    const before = workers();

    const users = Array.from({ length: 8 }, async (_, user) => {
      const agent = user % 2 === 0 ? new https.Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
      while (!load.stopped) {
        await new Promise<void>((resolve) => {
          const asked = https.request(
            {
              host: HOST,
              port: spec.proxy.tls!.port,
              method: "POST",
              agent: agent ?? false,
              rejectUnauthorized: false,
              headers: { host: "shop.example" },
            },
            (response) => {
              if (response.statusCode === 200) load.answered += 1;
              else load.lost.push(String(response.statusCode));
              response.resume().on("end", resolve);
            },
          );
          asked.on("error", (error) => {
            load.lost.push(error.message);
            resolve();
          });
          asked.end("x");
        });
        await sleep(5);
      }
      agent?.destroy();
    });
    for (const [name, secret] of [
      ["two", pem(pair("two"))],
      ["three", pkcs12(pair("three"))],
      ["four", pkcs12(pair("four"), "-legacy")],
      ["five", pem(pair("five"), pair("intermediate"))],
    ] as const) {
      azure.answers(secret);
      expect(await timer()).toMatchObject({
        code: 0,
        stderr: "",
        // OpenSSL 3.2 omits the spaces.
        stdout: expect.stringMatching(new RegExp(`without a reload: subject=CN ?= ?${name}\\b`)),
      });
      expect(await served()).toBe(name);
      const { answered } = load;
      await until(() => load.answered > answered + 20, "users are served");
    }
    load.stopped = true;
    await Promise.all(users);
    expect(load.lost).toEqual([]);
    expect(workers()).toEqual(before);
    // What was swapped at run time is what a restart loads.
    expect(machine().read("tls/site.pem")).not.toMatch(/\n\n/);
    expect(
      machine()
        .read("tls/site.pem")
        .match(/BEGIN CERTIFICATE/g),
    ).toHaveLength(2);
    expect(await timer()).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("before there is a certificate users get a placeholder, said aloud; the timer brings the first one", async () => {
    expect(await setUp()).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining(
        "USERS GET A SELF-SIGNED PLACEHOLDER: the vault " +
          azure.parameters()["KEY_VAULT_HOST"] +
          " answered 404 (SecretNotFound): is there a certificate site?",
      ),
    });
    expect(await served()).toBe("bluegreen placeholder");
    const before = workers();
    expect((await timer({ MAX_AGE_SECONDS: "86400", PLACEHOLDER: "1" })).stdout).toContain("PLACEHOLDER");
    azure.answers(403, pem(pair("one")));
    expect((await timer({ MAX_AGE_SECONDS: "86400", PLACEHOLDER: "1" })).code).toBe(0);
    expect(await served()).toBe("one");
    expect(workers()).toEqual(before);

    const asked = azure.asked.length;
    expect(await timer({ MAX_AGE_SECONDS: "86400" })).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(azure.asked).toHaveLength(asked);
  });

  test("without a vault somebody else's certificate is served, and taken over when it changes", async () => {
    expect((await setUp({ TLS_CERTIFICATE: "", KEY_VAULT_HOST: "" })).stdout).toContain(
      "there is no certificate in",
    );
    const own = pair("own");
    fs.writeFileSync(machine().path("tls/site.pem"), `${own.certificate}\n\n${own.key}`);
    expect(await timer()).toMatchObject({ code: 0 });
    expect(await served()).toBe("own");
    expect(azure.asked).toEqual([]);
  });

  test("a swap that was cut off is made good by the next run; if it can't be swapped, HAProxy is reloaded", async () => {
    azure.answers(pem(pair("one")));
    await setUp();
    const two = pair("two");
    azure.answers(pem(two));
    fs.writeFileSync(machine().path("tls/site.pem"), two.certificate + two.key);
    expect((await timer()).stdout).toContain("without a reload");
    expect(await served()).toBe("two");

    // More than the admin socket takes at once.
    const some = Array.from({ length: 25 }, (_, number) => pair(`intermediate-${number}`));
    const chain = [...some, ...some];
    azure.answers(pem(pair("three"), ...chain));
    const before = workers();
    expect(await timer()).toMatchObject({ code: 0, stdout: "certificate: HAProxy was reloaded with it\n" });
    expect(await served()).toBe("three");
    expect(workers()).not.toEqual(before);
  });

  test("whatever is wrong with the vault's certificate: the old one stays, and it is said", async () => {
    azure.answers(pem(pair("one")));
    await setUp();
    const good = pair("other");
    for (const [secret, because] of [
      [pem(pair("expired", 2020)), /site has expired \(notAfter/],
      [pem(pair("early", 2048)), /site is not valid yet \(notBefore/],
      [
        pem({ key: good.key, certificate: pair("two").certificate }),
        /key of site does not belong to its certificate/,
      ],
      [
        { value: good.certificate, contentType: "application/x-pem-file" },
        /site has no readable key: is it exportable/,
      ],
      [{ value: good.key, contentType: "application/x-pem-file" }, /no readable certificate/],
      [{ value: "bm90aGluZw==", contentType: "application/x-pkcs12" }, /PKCS#12 of site is unreadable/],
      [
        pem({ ...good, certificate: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }),
        /no readable certificate/,
      ],
      [{ value: 5 }, /unreadable secret/],
      [{}, /unreadable secret/],
      [404, /answered 404 \(SecretNotFound\): is there a certificate site/],
      [403, /answered 403 \(Forbidden\): does the identity have Key Vault Secrets User/],
      [500, /answered 500/],
    ] as const) {
      azure.answers(secret);
      const outcome = await timer({ RETRY_SECONDS: "0" });
      expect(outcome).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(because) });
      expect(outcome.stderr).toMatch(/^certificate: [ -~]+\n$/);
    }
    expect(await served()).toBe("one");
    expect(fs.readdirSync(machine().path("tls")).sort()).toEqual([".lock", "fetched", "site.pem"]);

    // A set-up goes on with the certificate that is there, and says so.
    expect(await setUp({ CERTIFICATE_RETRY_SECONDS: "0" })).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/answered 500/),
    });
    azure.answers(pem(pair("two")));
    azure.imds = [400];
    expect((await timer()).stderr).toContain(`answered 400: is ${IDENTITY} assigned to this machine?`);
    azure.imds = ['{"access_token":"SECRET x"}'];
    expect((await timer()).stderr).toContain("without a readable access_token");
    expect((await timer({ IMDS_ENDPOINT: "http://127.0.0.1:1" })).stderr).toContain(
      "is this an Azure virtual machine?",
    );
  });

  test("what is not valid from the start leads to a placeholder, not to a proxy that does not start", async () => {
    azure.answers(pem(pair("expired", 2020)));
    expect((await setUp()).stdout).toMatch(/PLACEHOLDER: site has expired/);
    expect(await served()).toBe("bluegreen placeholder");
  });

  test.each([
    ["TLS_CERTIFICATE", ["a/b", "a b", "../x", "a?b"]],
    ["KEY_VAULT_HOST", ["http://vault", "a/b", "user@host", "a b", ""]],
    ["IDENTITY", ["x", `${IDENTITY}&x`]],
    ["IMDS_ENDPOINT", ["http://example.com", "https://169.254.169.254"]],
  ])("a hostile %s is refused", async (name, values) => {
    for (const value of values) {
      const { code, stderr } = await setUp({ [name]: value });
      expect({ value, code, stderr }).toEqual({
        value,
        code: 2,
        stderr: expect.stringMatching(/^certificate: [ -~]+\nbluegreen: step-\d+ ended with 2\n$/),
      });
    }
    expect(azure.asked).toEqual([]);
    expect(workers()).toEqual([]);
  });

  test("plain http is for the loopback address only", async () => {
    const outcome = await setUp({ KEY_VAULT_HOST: "vault.invalid:1" });
    expect(outcome.stdout).toMatch(/PLACEHOLDER: no answer from the vault vault\.invalid:1/);
  });

  test("a timer looks for a new certificate", async () => {
    const { root } = machine();
    fs.mkdirSync(`${root}/bin`);
    fs.writeFileSync(
      `${root}/bin/systemctl`,
      `#!/bin/bash
printf '%s\\n' "$*" >>${root}/calls
case "$1 \${!#}" in "restart bluegreen-proxy.service")
  cd ${machine().path()} && setsid haproxy -W -f haproxy.cfg -p haproxy.pid >/dev/null 2>&1 </dev/null 8>&- & ;;
esac
`,
      { mode: 0o755 },
    );
    azure.answers(pem(pair("one")));
    const outcome = await setUp({
      PATH: `${root}/bin:${PATH}`,
      SERVICE_MANAGER: "systemd",
      SYSTEMD_FOLDER: `${root}/units`,
    });
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(fs.readFileSync(`${root}/calls`, "utf8")).toContain(
      "enable --quiet --now bluegreen-certificate.timer",
    );
    expect(machine().read("certificate.env").split("\n")).toEqual(
      expect.arrayContaining([
        `IDENTITY="${IDENTITY}"`,
        'TLS_CERTIFICATE="site"',
        'SERVICE_MANAGER="systemd"',
      ]),
    );
    if (spawnSync("systemd-analyze", ["--version"]).status !== 0) return;
    const { status, stdout, stderr } = spawnSync(
      "systemd-analyze",
      ["verify", "bluegreen-certificate.service", "bluegreen-certificate.timer"],
      { encoding: "utf8", env: { ...process.env, SYSTEMD_UNIT_PATH: `${root}/units:` } },
    );
    const ours = (stdout + stderr).split("\n").filter((line) => line.includes("bluegreen"));
    expect({ status, ours }).toEqual({ status: 0, ours: [] });
  });
});
