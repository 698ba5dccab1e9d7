/** What every kind of proxy promises with affinity: a client stays on its server (docs/traffic.md, section 8). */
import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { isShareable, serverAttributes } from "../../../configuration/cookies";
import { serverTokens } from "../../../configuration/sessions";
import type { KeptReleases } from "../../../configuration/sessions";
import type { Traffic } from "../../../on-server/director/drivers/driver";
import type { Slot } from "../../../release/slot";
import { until } from "../../../development/testbed/processes";
import { DifficultBackend } from "./difficult-backend";
import type { ProxyKind } from "./proxy-kinds";
import { healthyIn, PREVIEW_SECRET, ProxyUnderTest } from "./proxy-under-test";
import type { Answer } from "./proxy-under-test";

const KEPT: KeptReleases = { blue: "1.0.0-1", green: "1.1.0-2" };
const BALANCER = "127.0.0.7";
/** Other clients have their own addresses. */
const address = (index: number) => `127.0.${1 + Math.floor(index / 200)}.${1 + (index % 200)}`;

export class NumberedBackend extends DifficultBackend {
  protected override async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("x-port", this.port);
    return super.answer(asked, response);
  }

  protected override upgrade(asked: IncomingMessage, socket: Duplex): void {
    this.acceptUpgrade(asked, socket);
    socket.end(String(this.port));
  }
}

export function promisesOfAffinity(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(kind, {}, (slot, port) => new NumberedBackend(slot, port), {
      servers: 2,
      http: { trusted: [`${BALANCER}/32`] },
      sessions: { affinity: "server", withoutCookie: ["/assets/"] },
    });
  });
  afterAll(() => proxy?.close());
  beforeEach(() => set({}));

  const set = (traffic: Partial<Traffic>, sessions: KeptReleases = KEPT) =>
    proxy.set({ sessions, ...traffic });
  const tokens = (kept = KEPT) => serverTokens(proxy.spec, kept);
  const tokenFor = (slot: Slot, server: string, kept = KEPT) =>
    tokens(kept).find((each) => each.slot === slot && each.server === server)!.token;
  const portOf = (slot: Slot, server: string) =>
    proxy.spec.endpoints[slot].find((each) => each.server === server)!.port;
  const backendOf = (slot: Slot, server: string) =>
    proxy.backends.find(({ port }) => port === portOf(slot, server))!;
  /** The token that the answer gives. */
  const givenBy = ({ headers }: Answer) =>
    (headers["set-cookie"] ?? []).flatMap((each) => /^bluegreen-server=([^;]*)/.exec(each)?.[1] ?? []);
  const portIn = ({ headers }: Answer) => Number(headers["x-port"]);
  const ask = (token: string | undefined, more: Parameters<ProxyUnderTest["ask"]>[0] = {}) =>
    proxy.ask({
      ...more,
      headers: {
        ...(token === undefined ? {} : { cookie: `a=b; bluegreen-server=${token}` }),
        ...more.headers,
      },
    });

  test("what is set is what is observed", async () => {
    for (const sessions of [KEPT, { blue: "1.0.0-1", green: null }, { blue: null, green: null }]) {
      await set({ weight: 20 }, sessions);
      expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 20, sessions });
    }
  });

  test("a new client gets the token of the server that answered, and stays there with it", async () => {
    const ports = new Set<number>();
    for (let client = 0; client < 40; client += 1) {
      const first = await ask(undefined, { from: address(client) });
      const [token, ...others] = givenBy(first);
      expect(others).toEqual([]);
      const { slot, server } = tokens().find((each) => each.token === token)!;
      expect({ slot, port: portOf(slot, server) }).toEqual({ slot: "blue", port: portIn(first) });
      expect(first.headers["set-cookie"]).toContain(`bluegreen-server=${token}${serverAttributes(false)}`);
      expect(first.headers["cache-control"]).toBe("private");
      // From wherever it comes.
      for (const from of [address(client), "127.0.9.9", "127.0.9.10"]) {
        const again = await ask(token, { from });
        expect({ port: portIn(again), given: givenBy(again) }).toEqual({ port: portIn(first), given: [] });
        expect(again.headers["cache-control"]).toBeUndefined();
      }
      ports.add(portIn(first));
    }
    expect(ports.size).toBe(2);
  });

  test("parallel first requests of a client meet one server, behind a balancer, too", async () => {
    for (let client = 0; client < 5; client += 1) {
      for (const more of [
        { from: address(client) },
        { from: BALANCER, headers: { "x-forwarded-for": `192.0.2.${client + 1}` } },
      ]) {
        const answers = await Promise.all(Array.from({ length: 6 }, () => ask(undefined, more)));
        expect(new Set(answers.map(portIn)).size).toBe(1);
      }
      // What comes first may be the client's invention; some balancers add a port, another one for each connection.
      const reported = (index: number) => `203.0.113.${index}, 192.0.2.${client + 1}:${4_000 + index}`;
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          ask(undefined, { from: BALANCER, headers: { "x-forwarded-for": reported(index) } }),
        ),
      );
      expect(new Set(answers.map(portIn)).size).toBe(1);
    }
    const behind = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        ask(undefined, { from: BALANCER, headers: { "x-forwarded-for": `192.0.2.${index + 1}` } }),
      ),
    );
    expect(new Set(behind.map(portIn)).size).toBe(2);
  });

  test.each<[string, Partial<Traffic>]>([
    ["at rest", {}],
    ["while traffic is divided", { weight: 50 }],
    ["just before the end of a release", { weight: 99 }],
    ["while it is held", { weight: 50, mode: "hold" }],
  ])("every token is that of its server, %s", async (_, traffic) => {
    if (traffic.mode === "hold" && !kind.holds) return;
    await set(traffic);
    for (const { token, slot, server } of tokens()) {
      for (let turn = 0; turn < 4; turn += 1) {
        const answer = await ask(token);
        expect({ slot: answer.slot, port: portIn(answer), given: givenBy(answer) }).toEqual({
          slot,
          port: portOf(slot, server),
          given: [],
        });
      }
    }
  });

  test("a client that stays gets a bucket, too, while traffic is divided", async () => {
    await set({ weight: 50 });
    const token = tokenFor("blue", "web-1");
    const { bucket } = await ask(token);
    expect(bucket).toEqual(expect.any(Number));
    const again = await ask(`${token}; bluegreen-bucket=${bucket}`);
    expect({ port: portIn(again), bucket: again.bucket }).toEqual({
      port: portOf("blue", "web-1"),
      bucket: undefined,
    });
  });

  test("the weight is the share of new clients", async () => {
    await set({ weight: 30 });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, bucket) => proxy.ask({ bucket, from: address(bucket) })),
    );
    expect(answers.filter(({ slot }) => slot === "green")).toHaveLength(30);
    for (const answer of answers) {
      const given = tokens().find(({ token }) => token === givenBy(answer)[0]);
      expect(given?.slot).toBe(answer.slot);
    }
  });

  test("while a release is watched, those that stay are counted as all others", async () => {
    await set({ weight: 50 });
    await proxy.driver.measureLatencies?.(true);
    const before = await proxy.driver.counts();
    const all = tokens();
    for (const [index, { token }] of all.entries())
      for (let turn = 0; turn < 5; turn += 1)
        await ask(token, { from: address(100 + index), path: turn === 0 ? "/status/500" : "/" });
    await until(async () => {
      const { blue, green } = await proxy.driver.counts();
      return [blue, green].every((now, index) => {
        const then = [before.blue, before.green][index]!;
        return now.requests - then.requests >= 10 && now.errors - then.errors >= 2;
      });
    }, "all answers are counted, and those that failed");
    const { blue, green } = await proxy.driver.counts();
    const clients = [blue, green].map((each) =>
      Object.entries(each.clients ?? {}).filter(([client]) => /^127[.]0[.]1[.]10[1-4][|]/.test(client)),
    );
    for (const each of clients) {
      const sum = (of: "requests" | "errors") => each.reduce((total, [, count]) => total + count[of], 0);
      expect({ requests: sum("requests"), errors: sum("errors") }).toEqual({ requests: 10, errors: 2 });
    }
    await proxy.driver.measureLatencies?.(false);
  });

  test("the token of a release that users do not get counts as none", async () => {
    const green = tokenFor("green", "web-1");
    await set({ weight: 0 }, { blue: "1.0.0-1", green: null });
    const answer = await ask(green);
    expect(answer.slot).toBe("blue");
    expect(givenBy(answer)).toEqual([expect.stringMatching(/^b/)]);
    // The same slot and server, but another release.
    const former = tokenFor("blue", "web-2", { blue: "0.9.0-1", green: null });
    expect(givenBy(await ask(former))).toHaveLength(1);
  });

  test("no token is given in a slot whose release keeps nobody", async () => {
    await set({}, { blue: null, green: null });
    const answer = await ask(tokenFor("blue", "web-1"));
    expect({ slot: answer.slot, cookies: answer.headers["set-cookie"] }).toEqual({
      slot: "blue",
      cookies: undefined,
    });
  });

  test.each([
    ["truncated", (token: string) => token.slice(0, -1)],
    ["too long", (token: string) => `${token}x`],
    ["huge", (token: string) => token.repeat(200)],
    ["of another server", (token: string) => token.replace(/\d/, "9")],
    ["without a digest", () => "b1."],
    ["a path", () => "../../b1"],
    ["quoted", (token: string) => `"${token}"`],
    ["empty", () => ""],
    ["a key of the proxy's own", () => "all"],
    ["a bucket", () => "42"],
    ["repeated", (token: string) => `${token}; bluegreen-server=${token}`],
  ])("a cookie that is %s changes nothing: it is replaced", async (_, changed) => {
    const answer = await ask(changed(tokenFor("blue", "web-1")));
    expect(answer).toMatchObject({ status: 200, slot: "blue" });
    expect(tokens().map(({ token }) => token)).toContain(givenBy(answer)[0]);
  });

  test("a server out of rotation keeps nobody, and gets its clients again afterwards", async () => {
    const token = tokenFor("blue", "web-1");
    await proxy.driver.exclude("blue", ["web-1"]);
    try {
      const moved = await ask(token);
      expect({ port: portIn(moved), given: givenBy(moved) }).toEqual({
        port: portOf("blue", "web-2"),
        given: [tokenFor("blue", "web-2")],
      });
      // A later value of the traffic does not bring it back.
      await set({ weight: 10 });
      expect(portIn(await ask(token))).not.toBe(portOf("blue", "web-1"));
    } finally {
      await proxy.driver.include("blue", ["web-1"]);
    }
    await until(
      async () => portIn(await ask(token)) === portOf("blue", "web-1"),
      "the server has its clients again",
    );
  });

  test("a server that is gone: its clients get the next one, and its token, and notice nothing", async () => {
    const token = tokenFor("blue", "web-2");
    const gone = backendOf("blue", "web-2");
    await gone.stop();
    try {
      const moved = await Promise.all(Array.from({ length: 10 }, () => ask(token)));
      for (const answer of moved) {
        expect(answer.status).toBe(200);
        expect({ port: portIn(answer), given: givenBy(answer) }).toEqual({
          port: portOf("blue", "web-1"),
          given: [tokenFor("blue", "web-1")],
        });
      }
    } finally {
      await gone.start();
      await until(async () => healthyIn((await proxy.driver.counts()).blue) === 2, "both are healthy again");
    }
  });

  test("while traffic is divided, the other slot's server takes over where the own slot is gone", async () => {
    await set({ weight: 50 });
    const gone = ["web-1", "web-2"].map((server) => backendOf("green", server));
    await Promise.all(gone.map((each) => each.stop()));
    try {
      const answer = await ask(tokenFor("green", "web-1"));
      expect(answer).toMatchObject({ status: 200, slot: "blue" });
      expect(givenBy(answer)).toEqual([expect.stringMatching(/^b/)]);
    } finally {
      await Promise.all(gone.map((each) => each.start()));
      await until(async () => healthyIn((await proxy.driver.counts()).green) === 2, "both are healthy again");
    }
  });

  test.each<[string, Record<string, string>]>([
    ["is public", { "cache-control": "public" }],
    ["may be stored", { "cache-control": "max-age=60" }],
    ["may be stored by its user", { "cache-control": "private, max-age=60" }],
    ["expires later", { expires: "Wed, 01 Jan 2031 00:00:00 GMT" }],
    ["has not changed", { status: "304", etag: '"same"' }],
    ["is a login's redirect", { status: "302", location: "/" }],
    ["is an error", { status: "404" }],
  ])("an answer that %s", async (_, { status = "200", ...headers }) => {
    const query = new URLSearchParams({ status, ...headers });
    const answer = await ask(undefined, { path: `/headers?${query}` });
    const { "cache-control": cacheControl, expires } = headers;
    const shareable = isShareable({ status: Number(status), cacheControl, expires });
    expect(givenBy(answer)).toHaveLength(shareable ? 0 : 1);
    if (shareable) expect(answer.headers["cache-control"]).toBe(cacheControl);
  });

  test.each<[string, string, string, boolean]>([
    ["a balancer's TLS", BALANCER, "https", true],
    ["TLS at the first of several balancers", BALANCER, "HTTPS, http", true],
    ["a balancer's WebSocket with TLS", BALANCER, "wss", true],
    ["a balancer without TLS", BALANCER, "http", false],
    ["a client that pretends to have TLS", address(7), "https", false],
  ])("the cookie's attributes are those for %s", async (_, from, scheme, secure) => {
    const answer = await ask(undefined, { from, headers: { "x-forwarded-proto": scheme } });
    const [cookie] = answer.headers["set-cookie"]!;
    expect(cookie).toBe(`bluegreen-server=${givenBy(answer)[0]}${serverAttributes(secure)}`);
  });

  test("a path without cookies gives none, and finds the server of a client that has one", async () => {
    const first = await ask(undefined, { path: "/assets/a.js" });
    expect({ status: first.status, cookies: first.headers["set-cookie"] }).toEqual({
      status: 200,
      cookies: undefined,
    });
    for (const { token, slot, server } of tokens()) {
      expect(portIn(await ask(token, { path: "/assets/a.js" }))).toBe(portOf(slot, server));
    }
  });

  test("a preview needs no token and gives none", async () => {
    const answer = await ask(tokenFor("blue", "web-1"), {
      headers: { "x-bluegreen-preview": PREVIEW_SECRET },
    });
    expect(answer).toMatchObject({ status: 200, slot: "green" });
    expect(answer.headers["set-cookie"]).toBeUndefined();
  });

  test("the proxy's own answers give none", async () => {
    await set({ live: null });
    const answer = await ask(undefined);
    expect({ status: answer.status, cookies: answer.headers["set-cookie"] }).toEqual({
      status: 503,
      cookies: undefined,
    });
  });

  test("a WebSocket goes to its client's server", async () => {
    for (const { token, server } of tokens({ ...KEPT, green: null })) {
      const asked = request({
        ...{ host: "127.0.0.1", port: proxy.spec.proxy.port, path: "/socket", agent: false },
        headers: {
          ...{ connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
          ...{ "sec-websocket-key": Buffer.from("0123456789abcdef").toString("base64") },
          cookie: `bluegreen-server=${token}`,
        },
      }).end();
      const [, socket, head] = (await once(asked, "upgrade")) as [IncomingMessage, Duplex, Buffer];
      let text = String(head);
      socket.on("error", () => undefined).on("data", (chunk) => (text += String(chunk)));
      await once(socket, "end");
      socket.destroy();
      expect(text).toBe(String(portOf("blue", server)));
    }
  });

  test("a restart of the proxy changes nothing", async () => {
    await set({ weight: 25 });
    const before = await proxy.driver.observe();
    await proxy.stop();
    await proxy.start();
    expect(await proxy.driver.observe()).toEqual(before);
    for (const { token, slot, server } of tokens())
      expect(portIn(await ask(token))).toBe(portOf(slot, server));
  });
}
