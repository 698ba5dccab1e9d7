/** What HAProxy does with users' requests and answers by the environment's settings: real requests, unkind backends. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpSettings } from "../../../configuration/http-settings";
import { normalPath } from "../../../configuration/private-paths";
import { until } from "../../../development/testbed/processes";
import { freePort } from "../../../development/testbed/ports";
import { HaproxyConfigurator } from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { describeWith, haproxy, haproxyVersion } from "./proxy-kinds";
import { Backend, PREVIEW_SECRET, proxySpec, ProxyUnderTest } from "./proxy-under-test";
import type { Site } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";

const HOST = "127.0.0.1";
const MEGABYTE = 1024 * 1024;
/**
 * From 2.8 on `timeout server-fin` is not for tunnels of HTTP: an instance that does not notice that a client left keeps its
 * WebSocket as long as it runs. https://github.com/haproxy/haproxy/commit/4ad1c9635
 */
const IGNORES_LEFT_WEBSOCKETS = haproxyVersion() >= 2.8;
const to = (path: string) => ({
  ...{ method: "POST" as const, path, status: 200 },
  ...{ headers: {}, headerPatterns: {} },
});

/** `/with?name=value`: an answer with these headers. Other paths are as unkind as their names. */
class UnkindBackend extends Backend {
  readonly requests: IncomingMessage[] = [];

  protected override async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(asked.url!, "http://any");
    this.requests.push(asked);
    if (pathname === "/with") {
      for (const [name, value] of searchParams) {
        if (name === "status") response.statusCode = Number(value);
        else response.setHeader(name, value);
      }
      response.end();
    } else if (pathname === "/refused") {
      response.writeHead(401, { connection: "close" }).end("who are you?");
    } else if (pathname === "/reset") {
      asked.socket.resetAndDestroy();
    } else if (pathname === "/silent") {
      return;
    } else if (pathname === "/cut") {
      response.writeHead(200, { "content-length": "10" }).write("half");
      setTimeout(() => asked.socket.destroy(), 50);
    } else if (pathname === "/large") {
      response.end(Buffer.alloc(64 * MEGABYTE));
    } else if (pathname === "/drops") {
      const timer = setInterval(() => response.write(`${Date.now()}\n`), 20);
      response.on("close", () => clearInterval(timer));
      setTimeout(() => response.end(), 500);
    } else if (pathname === "/trailers") {
      response.writeHead(200, { trailer: "x-sum" }).write("body");
      response.addTrailers({ "x-sum": "42" });
      response.end();
    } else {
      // Clients leave in the middle of their requests.
      await super.answer(asked, response).catch(() => response.destroy());
    }
  }

  /** It does not notice that a client leaves. A protocol that it does not know is an ordinary request. */
  protected override upgrade(asked: IncomingMessage, socket: Duplex): void {
    if (asked.headers.upgrade === "websocket") {
      this.acceptUpgrade(asked, socket);
      socket.resume();
    } else {
      socket.on("error", () => socket.destroy());
      const head = ["HTTP/1.1 200 OK", `X-Seen: ${JSON.stringify(asked.headers)}`, "Content-Length: 0"];
      socket.end([...head, "Connection: close", "", ""].join("\r\n"));
    }
  }

  asked(path: string): number {
    return this.requests.filter(({ url }) => url === path).length;
  }
}

function proxyWith(site: Site): Promise<ProxyUnderTest> {
  const unkind = (slot: "blue" | "green", port: number) => new UnkindBackend(slot, port);
  return ProxyUnderTest.create(haproxy, {}, unkind, site);
}

describeWith(haproxy)("haproxy by its default settings", () => {
  let proxy: ProxyUnderTest;
  let blue: UnkindBackend;
  beforeAll(async () => {
    proxy = await proxyWith({});
    blue = proxy.blue as UnkindBackend;
  });
  beforeEach(() => proxy.set({ live: "blue" }));
  afterAll(() => proxy?.close());

  const seenBy = async (headers: Record<string, string>, question = {}) => {
    const answer = await proxy.ask({ path: "/headers", headers, ...question });
    expect(answer.status).toBe(200);
    return JSON.parse(answer.headers["x-seen"] as string) as Record<string, string>;
  };

  test("parts of an answer arrive when they are sent", async () => {
    const asked = request({ host: HOST, port: proxy.spec.proxy.port, path: "/drops", agent: false }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    const delays: number[] = [];
    response.on("data", (chunk: Buffer) => {
      for (const line of String(chunk).trim().split("\n")) delays.push(Date.now() - Number(line));
    });
    await once(response, "end");
    expect(delays.length).toBeGreaterThan(5);
    delays.sort((one, other) => one - other);
    expect(delays[Math.floor(delays.length / 2)]).toBeLessThan(50);
  });

  test("a request whose client has left ends at the instance, too", async () => {
    const leaving = Array.from({ length: 5 }, () => {
      const asked = request({ host: HOST, port: proxy.spec.proxy.port, path: "/silent", agent: false });
      asked.on("error", () => undefined);
      return asked.end();
    });
    const running = async () => (await proxy.driver.counts()).blue.inFlight;
    await until(async () => (await running()) === 5, "they run");
    for (const asked of leaving) asked.destroy();
    await until(async () => (await running()) === 0, "they have ended");
  });

  test("a WebSocket whose client has left ends, at the latest with the instance, and is no error", async () => {
    const { errors } = (await proxy.driver.counts()).blue;
    const running = async () => (await proxy.driver.counts()).blue.inFlight;
    const socket = await proxy.webSocket("blue");
    await until(async () => (await running()) === 1, "it runs");
    socket.destroy();
    if (IGNORES_LEFT_WEBSOCKETS) {
      await sleep(6_000);
      expect(await running()).toBe(1);
      await blue.stop();
    }
    await until(async () => (await running()) === 0, "it has ended");
    if (IGNORES_LEFT_WEBSOCKETS) await blue.start();
    expect((await proxy.driver.counts()).blue.errors).toBe(errors);
  });

  test("an instance that refuses an upload without reading it is heard", async () => {
    const client = await RawConnection.open(proxy.spec.proxy.port);
    client.ask("POST /refused HTTP/1.1", "Host: a", `Content-Length: ${30 * MEGABYTE}`);
    client.send(Buffer.alloc(MEGABYTE));
    const { status, headers } = await client.answer();
    expect({ status, slot: headers.get("x-slot") }).toEqual({ status: 401, slot: undefined });
    client.close();
  });

  test("an instance that breaks off is 502, and is not asked again", async () => {
    for (const method of ["GET", "POST"]) {
      const before = blue.asked("/reset");
      const { status, body } = await proxy.ask({ path: "/reset", method });
      expect(status).toBe(502);
      expect(body).not.toContain("being updated");
      expect(blue.asked("/reset")).toBe(before + 1);
    }
    await proxy.set({ mode: "page" });
    expect((await proxy.ask({ path: "/reset" })).status).toBe(502);
  });

  test("trailers reach the client", async () => {
    const asked = request({ host: HOST, port: proxy.spec.proxy.port, path: "/trailers", agent: false }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    await once(response, "end");
    expect(response.trailers).toEqual({ "x-sum": "42" });
  });

  test("the instance gets the client's address and scheme as the proxy sees them, and nothing else of the kind", async () => {
    const lies = {
      "X-Forwarded-Prefix": "/admin",
      "x-forwarded-for": "1.2.3.4",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "evil.example",
      forwarded: "for=1.2.3.4;proto=https",
    };
    const seen = await seenBy(lies);
    expect(seen).toMatchObject({
      "x-forwarded-for": HOST,
      "x-forwarded-proto": "http",
      host: "shop.example",
    });
    for (const name of ["forwarded", "x-forwarded-host", "x-forwarded-prefix"])
      expect(seen).not.toHaveProperty(name);
  });

  test("an upgrade to HTTP/2 without TLS reaches no instance", async () => {
    for (const upgrade of ["h2c", "H2C", "foo, h2c"]) {
      const seen = await seenBy({
        connection: "Upgrade, HTTP2-Settings",
        upgrade,
        "http2-settings": "AAMAAABk",
      });
      // Newer ones remove this protocol themselves, and leave others.
      expect(seen["upgrade"] ?? "foo").toBe("foo");
    }
    (await proxy.webSocket("blue")).destroy();
  });

  test("the preview's cookie does not reach the application, and no cache keeps the preview", async () => {
    const secret = `bluegreen-preview=${PREVIEW_SECRET}`;
    for (const [cookie, left] of [
      [secret, undefined],
      [`a=b; ${secret}`, "a=b;"],
      [`${secret}; a=b`, "a=b"],
      [`a=b; ${secret}; c=d`, "a=b; c=d"],
      [`a=b; ${secret}; ${secret}`, undefined],
    ] as const) {
      const seen = await seenBy({ cookie });
      expect(seen["cookie"]?.replaceAll(/\s+/g, " ").trim()).toBe(left);
    }
    const { headers, slot } = await proxy.ask({
      path: "/with?cache-control=public,max-age=60&x-slot=green",
      headers: { cookie: secret },
    });
    expect({ slot, cache: headers["cache-control"] }).toEqual({ slot: "green", cache: "no-store" });
    expect(await seenBy({ cookie: "a=b; bluegreen-preview=wrong" })).not.toMatchObject({
      cookie: expect.stringContaining("wrong") as unknown,
    });
  });

  test.each([
    ["", "private"],
    ["cache-control=no-cache", "no-cache, private"],
    ["cache-control=private", "private"],
    ["cache-control=no-store", "no-store"],
    ["cache-control=private, max-age%3D60", "private, max-age=60"],
    ["cache-control=max-age%3D0", "max-age=0, private"],
    ["expires=Thu, 01 Jan 1970 00:00:00 GMT", "private"],
  ])("a client gets its bucket with an answer for it alone: %s", async (query, cacheControl) => {
    await proxy.set({ weight: 50 });
    const { bucket, headers } = await proxy.ask({ path: `/with?${query.replaceAll(" ", "+")}` });
    expect(bucket).toBeDefined();
    expect(headers["cache-control"]).toBe(cacheControl);
    expect(headers["set-cookie"]![0]).not.toContain("Secure");
  });

  test.each([
    "cache-control=public",
    "cache-control=s-maxage%3D60",
    "cache-control=max-age%3D60",
    "cache-control=no-cache,+Max-Age%3D60",
    "expires=Thu,+01+Jan+2099+00:00:00+GMT",
    "status=304",
  ])("no bucket comes with an answer that others may store: %s", async (query) => {
    await proxy.set({ weight: 50 });
    const { headers } = await proxy.ask({ path: `/with?${query}` });
    expect(headers["set-cookie"]).toBeUndefined();
    expect(headers["cache-control"] ?? "").not.toContain("private");
  });

  test("without activation no path is private", async () => {
    expect((await proxy.ask({ path: "/internal/stop-jobs", method: "POST" })).status).toBe(200);
  });
});

describeWith(haproxy)("haproxy by the settings of its environment", () => {
  let proxy: ProxyUnderTest;
  let blue: UnkindBackend;
  const activation = { activate: to("/internal/start-jobs?now=1"), deactivate: to("/it's/%22caf%C3%A9%22") };
  beforeAll(async () => {
    const limits = {
      answerSeconds: 3,
      clientSeconds: 1,
      headersSeconds: 1,
      headerKilobytes: 8,
      bodyMegabytes: 1,
    };
    proxy = await proxyWith({ http: { ...limits, trusted: ["127.0.0.2", "10.0.0.0/8"] }, activation });
    blue = proxy.blue as UnkindBackend;
    await proxy.set({ live: "blue" });
  });
  afterAll(() => proxy?.close());

  test("an answer may be silent as long as the limit says, even longer than a client", async () => {
    expect((await proxy.ask({ path: "/after/2000" })).status).toBe(200);
    for (const method of ["GET", "POST"]) {
      const before = blue.asked("/silent");
      const { status, body } = await proxy.ask({ path: "/silent", method });
      expect(status).toBe(504);
      expect(body).not.toContain("being updated");
      expect(blue.asked("/silent")).toBe(before + 1);
    }
  });

  test("a client that sends or reads too slowly is not waited for", async () => {
    const client = await RawConnection.open(proxy.spec.proxy.port);
    client.send("GET / HTTP/1.1\r\nHost");
    expect((await client.answer()).status).toBe(408);
    client.close();
    const reader = await RawConnection.open(proxy.spec.proxy.port);
    reader.ask("GET /large HTTP/1.1", "Host: a");
    await until(async () => (await proxy.driver.counts()).blue.inFlight === 1, "its answer is sent");
    await until(async () => (await proxy.driver.counts()).blue.inFlight === 0, "its answer is given up");
    reader.close();
  });

  test("headers of a request and of an answer have the same limit", async () => {
    const headers = (bytes: number) => ({ "x-long": "h".repeat(bytes) });
    expect((await proxy.ask({ headers: headers(8 * 1024 - 200) })).status).toBe(200);
    const { status } = await proxy.ask({ headers: headers(9 * 1024) });
    expect(Math.floor(status / 100)).toBe(4);
    expect((await proxy.ask({ path: `/${"p".repeat(7 * 1024)}` })).status).toBe(200);
    const long = (bytes: number) => proxy.ask({ path: "/headers", headers: headers(bytes) });
    expect((await long(7 * 1024)).status).toBe(200);
    const with9KB = Array.from({ length: 9 }, (_, index) => `x-${index}=${"h".repeat(720)}`).join("&");
    expect((await proxy.ask({ path: `/with?${with9KB}` })).status).toBe(200);
  });

  test("a body that is declared as too long is refused", async () => {
    const client = await RawConnection.open(proxy.spec.proxy.port);
    client.ask("POST / HTTP/1.1", "Host: a", `Content-Length: ${MEGABYTE + 1}`);
    expect((await client.answer()).status).toBe(413);
    client.close();
    expect((await proxy.ask({ method: "POST", body: "x".repeat(MEGABYTE) })).status).toBe(200);
  });

  test("a balancer's headers stay, and its address is added", async () => {
    const theirs = {
      "x-forwarded-for": "1.2.3.4",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "www.example",
      forwarded: "for=1.2.3.4",
    };
    const seenFrom = async (localAddress: string, headers: Record<string, string>) => {
      const asked = request({
        ...{ host: HOST, port: proxy.spec.proxy.port, path: "/headers", localAddress, agent: false },
        headers: { host: "shop.example", ...headers },
      }).end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      response.resume();
      return JSON.parse(response.headers["x-seen"] as string) as Record<string, string>;
    };
    expect(await seenFrom("127.0.0.2", theirs)).toMatchObject({
      ...theirs,
      "x-forwarded-for": "1.2.3.4, 127.0.0.2",
    });
    expect(await seenFrom("127.0.0.2", {})).toMatchObject({
      "x-forwarded-for": "127.0.0.2",
      "x-forwarded-proto": "http",
    });
    const fromClient = await seenFrom("127.0.0.3", theirs);
    expect(fromClient).toMatchObject({ "x-forwarded-for": "127.0.0.3", "x-forwarded-proto": "http" });
    expect(fromClient).not.toHaveProperty("forwarded");
  });

  const PRIVATE = [
    "/internal/start-jobs",
    "/Internal/START-jobs/",
    "/internal/start-jobs?x=1",
    "//internal///start-jobs",
    "/internal/./start-jobs/.",
    "/a/../internal/start-jobs",
    "/a/b/../../internal/start-jobs",
    "/../internal/start-jobs",
    "/../../a/../internal/b/c/.././../start-jobs",
    "/internal/a;x/..;y/start-jobs",
    "/%69nternal/start%2djobs",
    "/internal%2fstart-jobs",
    "/internal%5cstart-jobs",
    "/internal\\start-jobs",
    "/internal;v=1/start-jobs;w",
    "/%zz/../internal/start-jobs",
    "/%/%%/%2/../../../internal/start-jobs",
    "/%2e%2e/internal/%2e/start-jobs",
    "/it's/%22caf%C3%A9%22",
    "/IT%27S/%22CAF%C3%A9%22/",
  ];
  const PUBLIC = [
    "/internal/start-jobs-of-today",
    "/internal/start-jobs/x",
    "/internal/start-jobs/..",
    "/internal/start-jobs/../other",
    "/start-jobs",
    "/internal",
    "/x?path=/internal/start-jobs",
    "/internal/../start-jobs",
    "/100%",
    "/a+b%20c%zz",
    "/a/b/c/d/../../e",
    "/..a/.b./internal/start-jobs",
    "/%252e%252e/internal/start-jobs",
  ];

  test.each(PRIVATE)("%s is private", async (path) => {
    const paths = [activation.activate, activation.deactivate].map((each) => normalPath(each.path));
    expect(paths).toContain(normalPath(path));
    const client = await RawConnection.open(proxy.spec.proxy.port);
    client.ask(`POST ${path} HTTP/1.1`, "Host: a", "Content-Length: 0");
    expect((await client.answer()).status).toBe(404);
    client.close();
    const preview = { "x-bluegreen-preview": PREVIEW_SECRET };
    if (!path.includes("\\")) expect((await proxy.ask({ path, headers: preview })).status).toBe(404);
  });

  test.each(PUBLIC)("%s is not private", async (path) => {
    const paths = [activation.activate, activation.deactivate].map((each) => normalPath(each.path));
    expect(paths).not.toContain(normalPath(path));
    expect((await proxy.ask({ path, method: "POST" })).status).toBe(200);
  });
});

describeWith(haproxy)("haproxy with TLS", () => {
  test("redirects to the site's host names only", async () => {
    const folder = mkdtempSync(join(tmpdir(), "proxy-"));
    const request = [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=shop.example",
    ];
    const { stdout } = spawnSync("openssl", [...request, "-keyout", "-", "-out", "-"], { encoding: "utf8" });
    writeFileSync(join(folder, "site.pem"), stdout);
    const [port, tls] = [await freePort(), await freePort()];
    const spec = proxySpec({ driver: "haproxy", topology: "sideBySide", servers: 1 });
    const http = HttpSettings.parse({ hosts: ["shop.example", "www.shop.example"] });
    const proxy = { ...spec.proxy, port, tls: { port: tls, certificate: "site.pem" }, http };
    const files = new HaproxyConfigurator({ ...spec, proxy }).files();
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    const child = haproxy.start(folder);
    try {
      const ask = async (...lines: string[]) => {
        const client = await RawConnection.open(port);
        client.ask("GET /a?b=c HTTP/1.1", ...lines);
        const { status, headers } = await client.answer();
        client.close();
        return [status, headers.get("location")];
      };
      await until(async () => (await ask("Host: a").catch(() => [])).length > 0, "the proxy answers");
      expect(await ask("Host: shop.example")).toEqual([308, `https://shop.example:${tls}/a?b=c`]);
      expect(await ask(`Host: WWW.Shop.example:${port}`)).toEqual([
        308,
        `https://WWW.Shop.example:${tls}/a?b=c`,
      ]);
      for (const host of ["evil.example", "shop.example.evil.example", "127.0.0.1"])
        expect(await ask(`Host: ${host}`)).toEqual([421, undefined]);
      expect(await ask("X: no host")).toEqual([400, undefined]);
    } finally {
      child.kill();
      await once(child, "exit");
      rmSync(folder, { recursive: true });
    }
  });
});
