/**
 * What every kind of proxy promises about Strict-Transport-Security: with the setting it is on every answer to a user with TLS,
 * also on those that the proxy makes itself, once; on no other answer.
 */
import { once } from "node:events";
import { Agent as PlainAgent, request as askPlain } from "node:http";
import type { IncomingMessage, RequestOptions, ServerResponse } from "node:http";
import { request as askTls } from "node:https";
import { KINDS } from "../../../on-server/director/drivers/kinds";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { until } from "../../../development/testbed/processes";
import type { ProxyKind } from "./proxy-kinds";
import { Backend, PREVIEW_SECRET, ProxyUnderTest } from "./proxy-under-test";
import { certificateOf } from "./site-certificate";
import { TlsBalancer } from "./tls-balancer";

const WANTED = { maxAgeSeconds: 63_072_000, includeSubDomains: true, preload: true };
const VALUE = "max-age=63072000; includeSubDomains; preload";
const OWN = "max-age=1";
/** Others are strangers to the proxies. */
const BALANCER = "127.0.0.1";
const STRANGER = "127.0.0.9";
const HTTP = { strictTransportSecurity: WANTED, trusted: [BALANCER], bodyMegabytes: 1, answerSeconds: 1 };
const ACTIVATION = {
  activate: { method: "POST", path: "/activate" },
  deactivate: { method: "POST", path: "/deactivate" },
} as NonNullable<DirectorSpec["activation"]>;

/** An application that may send the header itself. */
class StrictBackend extends Backend {
  protected override async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    if (asked.url === "/own") response.setHeader("Strict-Transport-Security", OWN);
    await super.answer(asked, response);
  }
}

interface Got {
  readonly status: number;
  /** All of them. */
  readonly strict: readonly string[];
  readonly location: string | undefined;
}

interface Options extends RequestOptions {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Ask = (path: string, options?: Options) => Promise<Got>;

async function asked(ask: typeof askPlain, options: Options, { body, ...more }: Options = {}): Promise<Got> {
  const all = { host: "127.0.0.1", agent: false, rejectUnauthorized: false, ...options, ...more } as const;
  const sent = ask({ ...all, headers: { host: "shop.example", ...options.headers, ...more.headers } });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  answer.resume();
  const strict = answer.rawHeaders.filter(
    (_, index, all) => index % 2 === 1 && all[index - 1]!.toLowerCase() === "strict-transport-security",
  );
  await once(answer, "end");
  return { status: answer.statusCode!, strict, location: answer.headers.location };
}

export function promisesOfStrictTransport(kind: ProxyKind): void {
  describe("where TLS ends at a trusted balancer", () => {
    let proxy: ProxyUnderTest;
    let balancer: TlsBalancer;
    const port = (): number => proxy.spec.proxy.port;
    beforeAll(async () => {
      proxy = await created(kind, HTTP);
      balancer = await TlsBalancer.inFrontOf(port(), certificateOf("shop.example"));
    });
    afterAll(async () => {
      balancer?.close();
      await proxy?.close();
    });

    answersOf(
      () => proxy,
      (path, options) => asked(askTls, { port: balancer.port, path }, options),
    );

    test.each([
      ["by TLS, at the first of several balancers", BALANCER, "HTTPS, http", [VALUE]],
      ["over a WebSocket with TLS", BALANCER, "wss", [VALUE]],
      ["without TLS", BALANCER, "http", []],
      ["without a report", BALANCER, undefined, []],
      ["who only pretends to have TLS", STRANGER, "https", []],
    ])("a user %s", async (_, localAddress, scheme, strict) => {
      const headers = scheme === undefined ? {} : { "x-forwarded-proto": scheme };
      for (const path of ["/", "/broken", "/activate"])
        expect(await asked(askPlain, { port: port(), path, localAddress, headers })).toMatchObject({
          strict,
        });
    });

    test("the next request on a connection is another user's, perhaps without TLS", async () => {
      const agent = new PlainAgent({ keepAlive: true, maxSockets: 1 });
      const got = [];
      for (const scheme of ["https", "http", "https"]) {
        const headers = { "x-forwarded-proto": scheme };
        got.push((await asked(askPlain, { port: port(), path: "/", agent, headers })).strict.length);
      }
      agent.destroy();
      expect(got).toEqual([1, 0, 1]);
    });
  });

  // The embedded proxy has no TLS itself.
  if (kind.name !== "embedded") {
    describe("with TLS itself", () => {
      let proxy: ProxyUnderTest;
      beforeAll(async () => {
        proxy = await created(kind, { ...HTTP, trusted: ["192.0.2.1"] }, certificateOf("shop.example"));
      });
      afterAll(() => proxy?.close());

      answersOf(
        () => proxy,
        (path, options) => asked(askTls, { port: proxy.spec.proxy.tls!.port, path }, options),
      );

      test("the redirect to TLS has none: browsers would not believe it", async () => {
        const headers = { "x-forwarded-proto": "https" };
        const got = await asked(askPlain, { port: proxy.spec.proxy.port, path: "/a", headers });
        expect(got).toEqual({ status: 308, strict: [], location: expect.stringMatching(/^https:/) });
      });
    });
  }

  test("base gives it to a proxy that runs, another value, and takes it away", async () => {
    const proxy = await created(kind, { ...HTTP, strictTransportSecurity: undefined });
    const headers = { "x-forwarded-proto": "https" };
    const strict = async () =>
      (await asked(askPlain, { port: proxy.spec.proxy.port, path: "/", headers })).strict;
    try {
      await proxy.set({ weight: 0 });
      expect(await strict()).toEqual([]);
      for (const [wanted, expected] of [
        [{ ...WANTED, preload: false }, ["max-age=63072000; includeSubDomains"]],
        [{ maxAgeSeconds: 0, includeSubDomains: false, preload: false }, ["max-age=0"]],
        [undefined, []],
      ] as const) {
        const { strictTransportSecurity: _, ...http } = proxy.spec.proxy.http;
        const next = { ...http, ...(wanted && { strictTransportSecurity: wanted }) };
        await KINDS[kind.name].configure({ ...proxy.spec, proxy: { ...proxy.spec.proxy, http: next } });
        // NGINX is reloaded by that.
        if (kind.name !== "nginx") await restarted(proxy);
        await until(async () => JSON.stringify(await strict()) === JSON.stringify(expected), "it is applied");
        expect((await proxy.ask()).slot).toBe("blue");
      }
    } finally {
      await proxy.close();
    }
  });
}

function created(kind: ProxyKind, http: object, certificate?: string): Promise<ProxyUnderTest> {
  const backend = (slot: "blue" | "green", port: number): Backend => new StrictBackend(slot, port);
  return ProxyUnderTest.create(kind, {}, backend, {
    http,
    activation: ACTIVATION,
    ...(certificate !== undefined && { certificate }),
  });
}

async function restarted(proxy: ProxyUnderTest): Promise<void> {
  await proxy.stop();
  await proxy.start();
}

/** @param ask over TLS */
function answersOf(proxy: () => ProxyUnderTest, ask: Ask): void {
  const has = (status: number) => ({ status, strict: [VALUE] });
  beforeEach(() => proxy().set({ weight: 0 }));

  test("an instance's answers have it: pages, errors, an upload's, a preview's", async () => {
    expect(await ask("/")).toMatchObject(has(200));
    expect(await ask("/broken")).toMatchObject(has(500));
    expect(await ask("/", { method: "POST", body: "x".repeat(200_000) })).toMatchObject(has(200));
    expect(await ask("/", { headers: { "x-bluegreen-preview": PREVIEW_SECRET } })).toMatchObject(has(200));
  });

  test("while traffic is divided, too", async () => {
    await proxy().set({ weight: 50 });
    for (const bucket of [0, 99])
      expect(await ask("/", { headers: { cookie: `bluegreen-bucket=${bucket}` } })).toMatchObject(has(200));
    expect(await ask("/")).toMatchObject(has(200));
  });

  test("the application's own stays as it is, and alone", async () => {
    for (const weight of [0, 50]) {
      await proxy().set({ weight });
      expect(await ask("/own")).toMatchObject({ status: 200, strict: [OWN] });
    }
    const headers = { "x-bluegreen-preview": PREVIEW_SECRET };
    expect(await ask("/own", { headers })).toMatchObject({ status: 200, strict: [OWN] });
  });

  test("the proxy's own answers have it: refusals, and for an instance that fails", async () => {
    expect(await ask("/activate")).toMatchObject(has(404));
    const huge = { method: "POST", headers: { "content-length": String(3 * 1024 * 1024) }, body: "x" };
    expect(await ask("/", huge)).toMatchObject(has(413));
    expect(await ask("/after/3000")).toMatchObject(has(504));
    proxy().blue.trouble = { breaksOff: "/cut" };
    expect(await ask("/cut")).toMatchObject(has(502));
    proxy().blue.trouble = {};
  });

  test("so do its pages, before the first release and while a site is recreated", async () => {
    await proxy().set({ live: null });
    expect(await ask("/")).toMatchObject(has(503));
    await proxy().set({ mode: "page" });
    expect(await ask("/")).toMatchObject(has(200));
    await proxy().blue.stop();
    expect(await ask("/")).toMatchObject(has(503));
    await proxy().blue.start();
    await until(async () => (await ask("/")).status === 200, "the site is back");
  });
}
