/** What every kind of proxy promises while sessions drain: users leave a slot one by one (docs/traffic.md, section 8). */
import { setTimeout as pause } from "node:timers/promises";
import { serverAttributes } from "../../../configuration/cookies";
import { serverTokens } from "../../../configuration/sessions";
import type { KeptReleases } from "../../../configuration/sessions";
import type { Traffic } from "../../../on-server/director/drivers/driver";
import type { Slot } from "../../../release/slot";
import { until } from "../../../development/testbed/processes";
import { NumberedBackend } from "./affinity-promises";
import type { ProxyKind } from "./proxy-kinds";
import { healthyIn, PREVIEW_SECRET, ProxyUnderTest } from "./proxy-under-test";
import type { Answer } from "./proxy-under-test";

const IDLE_SECONDS = 300;
/** Green is live. Blue's clients stay. */
const LEAVING: KeptReleases = { blue: "1.0.0-1", green: "1.1.0-2" };
const LEFT: KeptReleases = { ...LEAVING, blue: null };

export function promisesOfDraining(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(kind, {}, (slot, port) => new NumberedBackend(slot, port), {
      servers: 2,
      sessions: {
        affinity: "server",
        withoutCookie: ["/assets/"],
        drain: { idleSeconds: IDLE_SECONDS, atMostSeconds: 3_600 },
      },
    });
  });
  afterAll(() => proxy?.close());
  beforeEach(() => leave());

  const leave = (sessions = LEAVING, more: Partial<Traffic> = {}) =>
    proxy.set({ live: "green", sessions, ...more });
  const tokens = () => serverTokens(proxy.spec, LEAVING);
  const tokenFor = (slot: Slot, server: string) =>
    tokens().find((each) => each.slot === slot && each.server === server)!.token;
  const portOf = (slot: Slot, server: string) =>
    proxy.spec.endpoints[slot].find((each) => each.server === server)!.port;
  const portIn = ({ headers }: Answer) => Number(headers["x-port"]);
  const cookiesOf = ({ headers }: Answer) => headers["set-cookie"] ?? [];
  const ask = (token: string | undefined, more: Parameters<ProxyUnderTest["ask"]>[0] = {}) =>
    proxy.ask({
      ...more,
      headers: { ...(token === undefined ? {} : { cookie: `bluegreen-server=${token}` }), ...more.headers },
    });
  const idle = (slot: Slot) => proxy.driver.idleSeconds!(slot);

  async function without(slot: Slot, work: () => Promise<void>): Promise<void> {
    const gone = proxy.backends.filter((each) => each.slot === slot);
    await Promise.all(gone.map((each) => each.stop()));
    try {
      await until(async () => healthyIn((await proxy.driver.counts())[slot]) === 0, `${slot} is gone`);
      await work();
    } finally {
      await Promise.all(gone.map((each) => each.start()));
      await until(async () => healthyIn((await proxy.driver.counts())[slot]) === 2, `${slot} is there again`);
    }
  }

  test("those who have a token of the release before stay, all others get the live one", async () => {
    for (const { token, slot, server } of tokens()) {
      for (let turn = 0; turn < 3; turn += 1) {
        const answer = await ask(token);
        expect({ slot: answer.slot, port: portIn(answer) }).toEqual({ slot, port: portOf(slot, server) });
      }
    }
    for (let client = 1; client < 20; client += 1)
      expect((await ask(undefined, { from: `127.0.3.${client}` })).slot).toBe("green");
    expect(await proxy.driver.observe()).toMatchObject({ live: "green", weight: 0, sessions: LEAVING });
  });

  test("each answer renews the cookie, for as long as a session lives without requests", async () => {
    for (const { token } of tokens()) {
      const answer = await ask(token);
      const cookie = `bluegreen-server=${token}${serverAttributes(false, IDLE_SECONDS)}`;
      expect(cookiesOf(answer)).toEqual([cookie]);
      expect(cookie).toContain(`; Max-Age=${IDLE_SECONDS};`);
      expect(answer.headers["cache-control"]).toBe("private");
      expect(cookiesOf(await ask(token, { path: "/assets/a.js" }))).toEqual([]);
      const shared = await ask(token, { path: "/headers?cache-control=public" });
      expect({ cookies: cookiesOf(shared), cacheControl: shared.headers["cache-control"] }).toEqual({
        cookies: [],
        cacheControl: "public",
      });
    }
    // At rest, too: a client that is idle when a release comes must not return to the old one.
    await leave(LEFT);
    expect(cookiesOf(await ask(tokenFor("green", "web-2")))).toHaveLength(1);
  });

  test("once its clients have left, a token of the release before counts as none", async () => {
    await leave(LEFT);
    const answer = await ask(tokenFor("blue", "web-1"));
    expect(answer).toMatchObject({ status: 200, slot: "green" });
    expect(cookiesOf(answer)).toEqual([expect.stringMatching(/^bluegreen-server=g/)]);
  });

  test("one server of the release before is gone: its clients get the other one", async () => {
    const [gone] = proxy.backends.filter(({ port }) => port === portOf("blue", "web-1"));
    await gone!.stop();
    try {
      const moved = await Promise.all(Array.from({ length: 10 }, () => ask(tokenFor("blue", "web-1"))));
      for (const answer of moved)
        expect({ status: answer.status, port: portIn(answer) }).toEqual({
          status: 200,
          port: portOf("blue", "web-2"),
        });
    } finally {
      await gone!.start();
      await until(async () => healthyIn((await proxy.driver.counts()).blue) === 2, "both are healthy again");
    }
  });

  test("all its servers are gone: the live release takes over, and keeps those clients", async () => {
    await without("blue", async () => {
      const moved = await Promise.all(Array.from({ length: 10 }, () => ask(tokenFor("blue", "web-1"))));
      for (const answer of moved) {
        expect(answer).toMatchObject({ status: 200, slot: "green" });
        expect(cookiesOf(answer)).toEqual([expect.stringMatching(/^bluegreen-server=g/)]);
      }
    });
  });

  test("the live release is gone: the release before does not take over", async () => {
    await without("green", async () => {
      expect((await ask(undefined)).status).toBe(503);
      expect(await ask(tokenFor("blue", "web-2"))).toMatchObject({ status: 200, slot: "blue" });
    });
  });

  test("how long ago its last client asked is known, whatever others do", async () => {
    await ask(tokenFor("blue", "web-1"));
    expect(await idle("blue")).toBeLessThanOrEqual(1);
    for (let turn = 0; turn < 30; turn += 1) {
      await ask(undefined, { from: "127.0.4.1" });
      await ask(tokenFor("green", "web-1"));
      await pause(100);
    }
    expect(await idle("blue")).toBeGreaterThanOrEqual(2);
    await ask(tokenFor("blue", "web-2"));
    expect(await idle("blue")).toBeLessThanOrEqual(1);
  });

  test("a request that runs is seen as one", async () => {
    const running = ask(tokenFor("blue", "web-1"), { path: "/slow" });
    await until(async () => (await proxy.driver.counts()).blue.inFlight > 0, "it runs");
    let isOver = false;
    const answered = running.finally(() => (isOver = true));
    // It may reach its instance later than its proxy.
    while (!isOver) {
      for (const backend of proxy.backends) backend.finishSlowRequests();
      await pause(20);
    }
    expect((await answered).slot).toBe("blue");
  });

  test("a restart of the proxy changes nothing", async () => {
    const before = await proxy.driver.observe();
    await proxy.stop();
    await proxy.start();
    expect(await proxy.driver.observe()).toEqual(before);
    for (const { token, slot, server } of tokens()) {
      const answer = await ask(token);
      expect({ port: portIn(answer), cookies: cookiesOf(answer).length }).toEqual({
        port: portOf(slot, server),
        cookies: 1,
      });
    }
    expect(await idle("blue")).toBeLessThanOrEqual(1);
  });

  test("a preview gets the slot that is not live, and neither uses nor gives a token", async () => {
    const answer = await ask(tokenFor("green", "web-1"), {
      headers: { "x-bluegreen-preview": PREVIEW_SECRET },
    });
    expect({ slot: answer.slot, cookies: cookiesOf(answer) }).toEqual({ slot: "blue", cookies: [] });
  });

  test("while answers are counted, those who stay still do", async () => {
    await proxy.driver.measureLatencies?.(true);
    try {
      for (const { token, slot, server } of tokens())
        expect(portIn(await ask(token))).toBe(portOf(slot, server));
      await ask(tokenFor("blue", "web-1"));
      expect(await idle("blue")).toBeLessThanOrEqual(1);
    } finally {
      await proxy.driver.measureLatencies?.(false);
    }
  });
}
