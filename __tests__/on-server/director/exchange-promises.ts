/**
 * What every kind of proxy promises about requests and answers themselves (docs/traffic.md, section 7): what passes, what is
 * changed, and what is counted against a slot.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { HttpExchange } from "../../../configuration/http-exchange";
import { bucketAttributes, isShareable, privateCacheControl } from "../../../configuration/cookies";
import { between } from "../../../on-server/director/analysis";
import { follow, until } from "../../../development/testbed/processes";
import { DifficultBackend, TICK_MS, TICKS } from "./difficult-backend";
import type { ProxyKind } from "./proxy-kinds";
import { PREVIEW_SECRET, ProxyUnderTest } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";

const HOST = "Host: shop.example";
const BALANCER = "127.0.0.7";
const PAGE = "The site is being updated";
const UPLOADS = 10;

export function promisesOfExchanges(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  let port: number;
  beforeAll(async () => {
    const notified = (path: string) => z.parse(HttpExchange, { method: "POST", path });
    proxy = await ProxyUnderTest.create(kind, {}, (slot, listens) => new DifficultBackend(slot, listens), {
      http: { trusted: ["10.0.0.0/8", `${BALANCER}/32`] },
      activation: {
        activate: notified("/internal/start-jobs"),
        deactivate: notified("/internal/stop-jobs?now=1"),
      },
    });
    port = proxy.spec.proxy.port;
  });
  afterAll(() => proxy?.close());
  beforeEach(() => proxy.set({ live: "blue" }));

  const blue = () => proxy.blue as DifficultBackend;
  /** The headers that the instance got. */
  const seen = async (headers: Record<string, string>, from?: string) => {
    const { body } = await proxy.ask({ path: "/seen", headers, ...(from === undefined ? {} : { from }) });
    return JSON.parse(body) as Record<string, string>;
  };
  function begin(path: string, options: object = {}): ClientRequest {
    const asked = request({ host: "127.0.0.1", port, path, agent: false, ...options });
    asked.on("error", () => undefined);
    return asked;
  }

  describe("an answer that comes before its request was read", () => {
    test("is passed on, while 30 MB are being sent", async () => {
      const file = join(proxy.folder, "upload");
      writeFileSync(file, Buffer.alloc(30 * 1024 * 1024, "thirty megabytes"));
      const upload = async () => {
        const args = [
          "-s",
          "-o",
          "/dev/null",
          "-w",
          "%{http_code}",
          "-H",
          "Expect:",
          "--data-binary",
          `@${file}`,
        ];
        const curl = spawn("curl", [...args, `http://127.0.0.1:${port}/refused`], {
          stdio: ["ignore", "pipe", "pipe"],
        });
        return Number((await follow(curl).ended).stdout);
      };
      const statuses: number[] = [];
      for (let count = 0; count < UPLOADS; count += 1) statuses.push(await upload());
      const allowed = [401, ...kind.insteadOfEarlyAnswers];
      expect(statuses.filter((status) => !allowed.includes(status))).toEqual([]);
      expect(statuses).toContain(401);
    });

    test.each(["/unread", "/refused"])(
      "leaves a connection (%s) on which the next request is answered, or which is said to close",
      async (path) => {
        for (let turn = 0; turn < 10; turn += 1) {
          const client = await RawConnection.open(port);
          const body = "x".repeat(200_000);
          client.send(`POST ${path} HTTP/1.1\r\n${HOST}\r\nContent-Length: ${body.length}\r\n\r\n`);
          const answer = client.answer();
          await Promise.race([answer, sleep(300)]);
          client.send(body);
          const first = await answer;
          expect(first.status).toBe(path === "/unread" ? 413 : 401);
          if (first.headers.get("connection")?.toLowerCase() !== "close") {
            client.ask("GET / HTTP/1.1", HOST);
            expect((await client.answer()).status).toBe(200);
          }
          client.close();
        }
      },
    );
  });

  test("chunks of an answer arrive as they are written", async () => {
    const asked = begin("/ticks").end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    const late: number[] = [];
    for await (const chunk of answer) {
      const now = performance.timeOrigin + performance.now();
      for (const written of String(chunk).trim().split("\n")) late.push(now - Number(written));
    }
    expect(late).toHaveLength(TICKS);
    expect(Math.max(...late)).toBeLessThan(TICK_MS / 2);
  });

  if (kind.passesTrailers)
    test("trailers of an answer reach the client", async () => {
      const [answer] = (await once(begin("/trailers").end(), "response")) as [IncomingMessage];
      await once(answer.resume(), "end");
      expect(answer.trailers).toEqual({ "x-checksum": "abc" });
    });

  test.each(["GET", "POST"])(
    "an instance that breaks off a %s before its answer is a bad gateway, and is asked once",
    async (method) => {
      for (const weight of [0, 50])
        for (const path of ["/reset", "/close"]) {
          await proxy.set({ live: "blue", weight });
          const url = `${path}?${method}${weight}`;
          const { status, headers, body } = await proxy.ask({ method, path: url, bucket: 99 });
          expect({ url, status, retry: headers["retry-after"] }).toEqual({
            url,
            status: 502,
            retry: undefined,
          });
          expect(body).not.toContain(PAGE);
          expect([blue(), proxy.green as DifficultBackend].map(({ asked }) => asked.get(url) ?? 0)).toEqual([
            1, 0,
          ]);
        }
      expect(await proxy.ask({ bucket: 99 })).toMatchObject({ status: 200, slot: "blue" });
    },
  );

  test("an answer that breaks off is no whole one", async () => {
    await expect(proxy.ask({ path: "/half" })).rejects.toThrow();
  });

  describe("an upgrade", () => {
    const KEY = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="];

    test("to another protocol than a WebSocket is an ordinary request, and the instance does not see it", async () => {
      const client = await RawConnection.open(port);
      const h2c = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"];
      for (const method of ["GET", "POST"]) {
        client.ask(`${method} /headers?x-method=${method} HTTP/1.1`, HOST, ...h2c, "Content-Length: 0");
        const { status, headers } = await client.answer();
        expect({ status, method: headers.get("x-method") }).toEqual({ status: 200, method });
      }
      client.close();
      const { upgrade, "http2-settings": settings } = await seen({
        connection: "Upgrade, HTTP2-Settings",
        upgrade: "h2c",
      });
      expect({ upgrade, settings }).toEqual({ upgrade: undefined, settings: undefined });
    });

    test.each(["GET /socket HTTP/1.1", "GET /socket HTTP/1.1 with nothing live"])(
      "to a WebSocket with nobody there is the page (%s)",
      async (line) => {
        const isClosed = line.includes("nothing live");
        if (isClosed) await proxy.set({ live: null });
        else await proxy.blue.stop();
        const client = await RawConnection.open(port);
        client.ask("GET /socket HTTP/1.1", HOST, "Connection: Upgrade", "Upgrade: websocket", ...KEY);
        const { status, headers } = await client.answer(false);
        expect(status).toBe(503);
        expect(headers.get("retry-after")).toBe("5");
        expect(headers.get("content-type")).toContain("text/html");
        client.close();
        if (isClosed) return;
        await proxy.blue.start();
        await until(async () => (await proxy.ask()).status === 200, "users are served again");
      },
    );
  });

  describe("forwarded headers", () => {
    const claimed = {
      "x-forwarded-for": "203.0.113.9",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "claimed.example",
      "x-forwarded-prefix": "/claimed",
      forwarded: "for=203.0.113.9;proto=https",
    };
    const of = (headers: Record<string, string>) => {
      const {
        "x-forwarded-for": address,
        "x-forwarded-proto": scheme,
        "x-forwarded-host": host,
        "x-forwarded-prefix": prefix,
        forwarded,
      } = headers;
      return { address: address?.replaceAll(" ", ""), scheme, host, prefix, forwarded };
    };

    test("name what the proxy sees, not what a client claims", async () => {
      // The host is in Host.
      const expected = { address: "127.0.0.3", scheme: "http" };
      expect(of(await seen({}, "127.0.0.3"))).toEqual(expected);
      expect(of(await seen(claimed, "127.0.0.3"))).toEqual(expected);
    });

    test("of a trusted balancer stay, and it is added", async () => {
      const { forwarded: _, ...kept } = of(await seen(claimed, BALANCER));
      expect(kept).toEqual({
        address: `203.0.113.9,${BALANCER}`,
        scheme: "https",
        host: "claimed.example",
        prefix: "/claimed",
      });
    });

    test("that a trusted balancer does not send are the proxy's", async () => {
      expect(of(await seen({}, BALANCER))).toEqual({
        ...{ address: BALANCER, scheme: "http" },
      });
    });
  });

  describe("the bucket's cookie", () => {
    test.each<[string, Record<string, string>]>([
      ["says nothing of caches", {}],
      ["is public", { "cache-control": "public" }],
      ["is for shared caches", { "cache-control": "s-maxage=60" }],
      ["may be stored", { "cache-control": "must-revalidate, max-age=60" }],
      ["may be stored by its user", { "cache-control": "private, max-age=60" }],
      ["may be stored by nobody", { "cache-control": "no-store" }],
      ["is stale at once", { "cache-control": "max-age=0" }],
      ["is validated", { "cache-control": "no-cache" }],
      ["expires later", { expires: "Wed, 01 Jan 2031 00:00:00 GMT" }],
      ["has expired", { expires: "Thu, 19 Nov 1981 08:52:00 GMT" }],
      ["has not changed", { status: "304", etag: '"same"' }],
      ["is an error", { status: "404" }],
    ])("of an answer that %s", async (_, { status = "200", ...headers }) => {
      await proxy.set({ live: "blue", weight: 50 });
      const query = new URLSearchParams({ status, ...headers });
      const answer = await proxy.ask({ path: `/headers?${query}` });
      const { "cache-control": cacheControl, expires } = headers;
      const isFor = (all: readonly string[] | undefined) =>
        (all ?? []).find((each) => each.startsWith("bluegreen-"));
      if (isShareable({ status: Number(status), cacheControl, expires })) {
        expect(isFor(answer.headers["set-cookie"])).toBeUndefined();
        expect(answer.headers["cache-control"]).toBe(cacheControl);
      } else {
        expect(isFor(answer.headers["set-cookie"])).toBe(
          `bluegreen-bucket=${answer.bucket}${bucketAttributes(false)}`,
        );
        expect(answer.headers["cache-control"]).toBe(privateCacheControl(cacheControl));
      }
    });
  });

  describe("a preview", () => {
    test.each([
      ["header", { "x-bluegreen-preview": PREVIEW_SECRET }],
      ["cookie", { cookie: `a=b; bluegreen-preview=${PREVIEW_SECRET}; c=d` }],
    ])("by its %s is stored by nobody, and the instance does not get the secret", async (_, headers) => {
      const answer = await proxy.ask({ path: "/headers?cache-control=public", headers });
      expect(answer).toMatchObject({ status: 200, slot: "green" });
      expect(answer.headers["cache-control"]).toBe("no-store");
      const got = await seen(headers as Record<string, string>);
      expect(JSON.stringify(got)).not.toContain(PREVIEW_SECRET);
      if ("cookie" in headers) expect(got["cookie"]!.replaceAll(" ", "")).toBe("a=b;c=d");
    });
  });

  test.each([
    "POST /internal/start-jobs",
    "GET /internal/stop-jobs",
    "POST /internal/stop-jobs?now=1",
    "POST //internal/./stop-jobs/",
    "POST /x/../internal/stop-jobs",
    "POST /Internal/Stop%2Djobs",
    "POST http://shop.example/internal/stop-jobs",
  ])("%s is for directors only", async (line) => {
    await proxy.set({ live: "blue", weight: 50 });
    const before = proxy.backends.flatMap(({ seen: all }) => all).length;
    const client = await RawConnection.open(port);
    client.ask(`${line} HTTP/1.1`, HOST, "Content-Length: 0");
    expect((await client.answer(false)).status).toBe(404);
    client.close();
    const after = proxy.backends.flatMap(({ seen: all }) => all).slice(before);
    expect(after.filter(({ url }) => url.toLowerCase().includes("internal"))).toEqual([]);
  });

  test("a path that only looks like a director's reaches the instance", async () => {
    expect((await proxy.ask({ path: "/internal/stop-jobs-of-today" })).status).toBe(200);
  });

  describe("an error of a slot", () => {
    const countedOf = async (what: () => Promise<unknown>) => {
      await proxy.driver.measureLatencies?.(true);
      await sleep(250);
      const before = await proxy.driver.counts();
      await what();
      await sleep(250);
      return between(before.blue, (await proxy.driver.counts()).blue);
    };

    test.each(["/reset", "/half", "/headers?status=500", "/headers?status=503"])("is %s", async (path) => {
      const counted = await countedOf(() => proxy.ask({ path }).catch(() => undefined));
      expect(counted).toMatchObject({ requests: 1, errors: 1 });
    });

    test.each<[string, (asked: ClientRequest) => unknown]>([
      ["/silent", (asked) => asked.flushHeaders()],
      ["/endless", (asked) => asked.end()],
      ["/after/5000", (asked) => asked.end()],
    ])("is not a client that leaves while %s runs", async (path, ask) => {
      const counted = await countedOf(async () => {
        for (let client = 0; client < 5; client += 1) {
          const asked = begin(path, { agent: false });
          ask(asked);
          await until(async () => (await proxy.driver.counts()).blue.inFlight > 0, "it runs");
          asked.destroy();
          await until(async () => (await proxy.driver.counts()).blue.inFlight === 0, "it has ended");
        }
      });
      expect(counted.errors).toBe(0);
    });

    test("is not a client that leaves within its upload, nor one that is refused", async () => {
      const counted = await countedOf(async () => {
        const client = await RawConnection.open(port);
        client.send(`POST /upload HTTP/1.1\r\n${HOST}\r\nContent-Length: 1000\r\n\r\nhalf`);
        await sleep(50);
        client.close();
        const wrong = await RawConnection.open(port);
        wrong.send("no request\r\n\r\n");
        await wrong.closed();
        await proxy.ask({ path: "/internal/stop-jobs" });
        await proxy.ask({ path: "/headers?status=404" });
        await proxy.ask({ path: "/refused", method: "POST", body: "x" });
      });
      expect(counted.errors).toBe(0);
    });
  });

  test("other requests of the same connection are not affected by an error", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ["/reset", "/", "/close", "/", "/headers?status=500", "/"]) {
      // A proxy may also end the connection: then the client uses another one.
      const status = await proxy.ask({ path, agent }).then(
        (answer) => answer.status,
        () => 0,
      );
      if (path === "/") expect(status).toBe(200);
      else expect([0, 500, 502]).toContain(status);
    }
    agent.destroy();
  });
}
