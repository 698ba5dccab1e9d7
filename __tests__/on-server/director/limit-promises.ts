/** What every kind of proxy promises about time limits, sizes, and instances that can't be reached (docs/traffic.md, section 7). */
import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../development/testbed/processes";
import { BlackHole } from "./black-hole";
import { DifficultBackend } from "./difficult-backend";
import type { ProxyKind } from "./proxy-kinds";
import { ProxyUnderTest } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";

const HOST = "Host: shop.example";
/** All of these are a second, so a connection that lives for three is not limited. */
const SECOND = 1_000;
const LIMITS = {
  answerSeconds: 1,
  clientSeconds: 1,
  headersSeconds: 1,
  idleSeconds: 1,
  tunnelSeconds: 1,
  bodyMegabytes: 1,
};

export function promisesOfLimits(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  let port: number;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(kind, {}, (slot, listens) => new DifficultBackend(slot, listens), {
      servers: 2,
      http: LIMITS,
    });
    port = proxy.spec.proxy.port;
  });
  afterAll(() => proxy?.close());

  const timesAsked = (url: string) =>
    proxy.backends.reduce((sum, each) => sum + ((each as DifficultBackend).asked.get(url) ?? 0), 0);
  /** How long something takes, in milliseconds. */
  async function timed<Result>(what: Promise<Result>): Promise<{ result: Result; took: number }> {
    const begun = performance.now();
    return { result: await what, took: performance.now() - begun };
  }

  const unanswered = (method: string) => async () => {
    const path = `/silent?${method}${(await proxy.driver.observe()).weight}`;
    const { result, took } = await timed(proxy.ask({ method, path, body: method === "POST" ? "once" : "" }));
    expect(result.status).toBe(504);
    expect(result.body).not.toContain("The site is being updated");
    expect(result.headers["retry-after"]).toBeUndefined();
    expect(took).toBeGreaterThan(0.9 * SECOND);
    expect(took).toBeLessThan(2.5 * SECOND);
    await sleep(0.2 * SECOND);
    expect(timesAsked(path)).toBe(1);
  };
  const stopsAfter = (sent: string) => async () => {
    const client = await RawConnection.open(port);
    client.send(sent);
    const { took } = await timed(client.closed());
    expect(took).toBeGreaterThan(0.7 * SECOND);
    expect(took).toBeLessThan(3.5 * SECOND);
  };
  const POSTED = "a POST that is not answered in time gets 504, not the page, and is sent once";

  describe("of time", () => {
    beforeAll(() => proxy.set({ live: "blue" }));
    atOnce({
      "a GET that is not answered in time gets 504, not the page, and is sent once": unanswered("GET"),

      [POSTED]: unanswered("POST"),

      "an answer that stops in its middle ends, and is no whole one": async () => {
        const { took } = await timed(expect(proxy.ask({ path: "/stalls" })).rejects.toThrow());
        expect(took).toBeLessThan(2.5 * SECOND);
        expect(timesAsked("/stalls")).toBe(1);
      },

      "an answer that takes longer than any limit, but is never silent, goes on": async () => {
        const asked = request({ host: "127.0.0.1", port, path: "/endless", agent: false }).end();
        const [answer] = (await once(asked, "response")) as [IncomingMessage];
        let [bytes, ended] = [0, false];
        answer.on("data", (chunk: Buffer) => (bytes += chunk.length)).on("error", () => undefined);
        answer.once("close", () => (ended = true));
        await sleep(2.5 * SECOND);
        expect({ ended, much: bytes > 100 }).toEqual({ ended: false, much: true });
        asked.destroy();
      },

      "an upload that takes longer than any limit, but is never silent, is whole": async () => {
        const client = await RawConnection.open(port);
        client.ask("POST /upload HTTP/1.1", HOST, "Content-Length: 10");
        for (let byte = 0; byte < 10; byte += 1) {
          await sleep(0.25 * SECOND);
          client.send(String(byte));
        }
        expect(await client.answer()).toMatchObject({ status: 200, body: "0123456789" });
        client.close();
      },

      "a client that stops in its headers is left": stopsAfter("GET / HTTP/1.1\r\nHost: shop.exa"),

      "a client that stops in its body is left": stopsAfter(
        `POST /upload HTTP/1.1\r\n${HOST}\r\nContent-Length: 10\r\n\r\n12345`,
      ),

      "a connection without a request ends": async () => {
        const client = await RawConnection.open(port);
        client.ask("GET / HTTP/1.1", HOST);
        expect(await client.answer()).toMatchObject({ status: 200 });
        const { took } = await timed(client.closed());
        expect(took).toBeGreaterThan(0.7 * SECOND);
        expect(took).toBeLessThan(3.5 * SECOND);
      },

      "a WebSocket lives as long as one side writes, and ends after its silence": async () => {
        const socket = await proxy.webSocket("blue");
        for (let turn = 0; turn < 4; turn += 1) {
          await sleep(0.5 * SECOND);
          socket.write("still here");
          await once(socket, "data");
        }
        const { took } = await timed(once(socket.resume(), "close"));
        expect(took).toBeLessThan(3 * SECOND);
      },
    });
  });

  describe("of time, while traffic is divided", () => {
    beforeAll(() => proxy.set({ live: "blue", weight: 50 }));
    atOnce({ [POSTED]: unanswered("POST") });
    afterAll(() => proxy.set({ live: "blue" }));
  });

  test("a declared body beyond its limit is refused, and reaches no instance", async () => {
    const client = await RawConnection.open(port);
    client.ask("POST /too-large HTTP/1.1", HOST, `Content-Length: ${1_024 * 1_024 + 1}`);
    expect((await client.answer()).status).toBe(413);
    client.close();
    expect(timesAsked("/too-large")).toBe(0);
    const body = "x".repeat(1_024 * 1_024);
    expect(await proxy.ask({ method: "POST", body })).toMatchObject({ status: 200, body });
  });

  test.each([
    ["a URL", (bytes: number) => ({ path: `/?${"u".repeat(bytes)}` })],
    ["a header", (bytes: number) => ({ headers: { "x-long": "h".repeat(bytes) } })],
    ["cookies", (bytes: number) => ({ headers: { cookie: "c".repeat(bytes) } })],
    ["many headers", (bytes: number) => ({ headers: manyHeaders(bytes) })],
  ])("%s of 30 KiB passes, and beyond 32 KiB it is refused as the client's fault", async (_, of) => {
    expect((await proxy.ask(of(30 * 1_024))).status).toBe(200);
    const { status } = await proxy.ask(of(33 * 1_024));
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
  });

  test("headers of an answer of 30 KiB pass, and beyond 32 KiB the instance is at fault", async () => {
    const { status, headers } = await proxy.ask({ path: "/large?kilobytes=30" });
    expect({ status, length: (headers["x-large"] as string).length }).toEqual({
      status: 200,
      length: 30 * 1_024,
    });
    const refused = await proxy.ask({ path: "/large?kilobytes=40" });
    expect(refused.status).toBe(502);
    expect(refused.body).not.toContain("The site is being updated");
  });

  test("with one server that does not even refuse, nobody waits for a second, and none fails", async () => {
    const hole = await BlackHole.open();
    const elsewhere = [{ server: "web-9", host: "127.0.0.1", port: hole.port }];
    const partly = await ProxyUnderTest.create(kind, {}, undefined, { elsewhere });
    try {
      for (const weight of [0, 50]) {
        await partly.set({ live: "blue", weight });
        const answers = await Promise.all(
          Array.from({ length: 40 }, async (_, user) => {
            await sleep(user * 10);
            const body = user % 2 === 0 ? "" : "posted";
            return timed(partly.ask({ method: body === "" ? "GET" : "POST", body, bucket: 99 }));
          }),
        );
        expect(answers.map(({ result }) => result.status)).toEqual(answers.map(() => 200));
        expect(Math.max(...answers.map(({ took }) => took))).toBeLessThan(SECOND);
      }
    } finally {
      await partly.close();
      await hole.close();
    }
  });

  test("the page is for users whom no instance can be reached for", async () => {
    const live = proxy.backends.filter(({ slot }) => slot === "blue");
    await Promise.all(live.map((each) => each.stop()));
    for (const method of ["GET", "POST"]) {
      const { status, headers, body } = await proxy.ask({ method });
      expect({ status, retry: headers["retry-after"] }).toEqual({ status: 503, retry: "5" });
      expect(body).toContain("The site is being updated");
    }
    await Promise.all(live.map((each) => each.start()));
    await until(async () => (await proxy.ask()).status === 200, "users are served again");
  });
}

function manyHeaders(bytes: number): Record<string, string> {
  const names = Array.from({ length: 40 }, (_, index) => `x-${index}`);
  return Object.fromEntries(names.map((name) => [name, "h".repeat(bytes / names.length - name.length)]));
}

/** Tests that mostly wait: all of them run at the same time. */
function atOnce(tests: Readonly<Record<string, () => Promise<void>>>): void {
  const running = new Map<string, Promise<void>>();
  beforeAll(() => {
    for (const [name, run] of Object.entries(tests)) {
      running.set(name, run());
      running.get(name)!.catch(() => undefined);
    }
  });
  for (const name of Object.keys(tests)) test(name, async () => running.get(name));
}
