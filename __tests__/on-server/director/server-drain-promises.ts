/** What every kind of proxy promises while one server drains: its clients stay, new ones get the others (docs/traffic.md, section 8). */
import { setTimeout as pause } from "node:timers/promises";
import { serverTokens } from "../../../configuration/sessions";
import { KINDS } from "../../../on-server/director/drivers/kinds";
import type { Traffic } from "../../../on-server/director/drivers/driver";
import { until } from "../../../development/testbed/processes";
import { NumberedBackend } from "./affinity-promises";
import type { ProxyKind } from "./proxy-kinds";
import { healthyIn, ProxyUnderTest } from "./proxy-under-test";
import type { Answer } from "./proxy-under-test";

const SESSIONS = { blue: "1.0.0-1", green: "1.1.0-2" };

export function promisesOfServerDrain(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(kind, {}, (slot, port) => new NumberedBackend(slot, port), {
      servers: 3,
      // Without `sessions.drain`: a server drains wherever clients stay.
      sessions: { affinity: "server", withoutCookie: [] },
    });
    await set({});
    await proxy.driver.keepClients!("blue", ["web-1"]);
  });
  afterAll(() => proxy?.close());

  const set = (traffic: Partial<Traffic>) => proxy.set({ live: "blue", sessions: SESSIONS, ...traffic });
  const tokenOf = (server: string) =>
    serverTokens(proxy.spec, SESSIONS).find((each) => each.slot === "blue" && each.server === server)!.token;
  const portOf = (server: string) => proxy.spec.endpoints.blue.find((each) => each.server === server)!.port;
  const portIn = ({ headers }: Answer) => Number(headers["x-port"]);
  const given = ({ headers }: Answer) => headers["set-cookie"] ?? [];
  const askAs = (server: string, path = "/") =>
    proxy.ask({ path, headers: { cookie: `bluegreen-server=${tokenOf(server)}` } });
  const activity = () => proxy.driver.activity!("blue", "web-1");

  /** Where 30 new clients of as many addresses go. */
  async function newcomers(): Promise<Set<number>> {
    const clients = Array.from({ length: 30 }, (_, index) => proxy.ask({ from: `127.0.6.${index + 1}` }));
    return new Set((await Promise.all(clients)).map(portIn));
  }

  async function expectDraining(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) {
      const answer = await askAs("web-1");
      expect({ status: answer.status, port: portIn(answer), given: given(answer) }).toEqual({
        ...{ status: 200, port: portOf("web-1"), given: [] },
      });
    }
    expect(await newcomers()).toEqual(new Set([portOf("web-2"), portOf("web-3")]));
    const { endpoints } = (await proxy.driver.counts()).blue;
    expect(endpoints.map(({ server, inRotation, healthy }) => ({ server, inRotation, healthy }))).toEqual([
      { server: "web-1", inRotation: false, healthy: true },
      { server: "web-2", inRotation: true, healthy: true },
      { server: "web-3", inRotation: true, healthy: true },
    ]);
  }

  test("its clients stay, and new ones get the others", async () => {
    await expectDraining();
    // Said again, it is the same.
    await proxy.driver.keepClients!("blue", ["web-1"]);
    await expectDraining();
  });

  test("so it is after a restart, and after base wrote the configuration again", async () => {
    await proxy.stop();
    await KINDS[kind.name].configure(proxy.spec);
    await proxy.start();
    await expectDraining();
  });

  test("a change of the traffic changes nothing for them, also while answers are counted", async () => {
    for (const traffic of [{ weight: 30, fallback: true }, {}] as const) {
      await set(traffic);
      await proxy.driver.measureLatencies?.(true);
      expect(portIn(await askAs("web-1"))).toBe(portOf("web-1"));
      await proxy.driver.measureLatencies?.(false);
      await set(traffic);
    }
    await expectDraining();
  });

  test("when its last client asked is known, whatever the others do", async () => {
    await askAs("web-1");
    expect((await activity()).idleSeconds).toBeLessThanOrEqual(1);
    for (let turn = 0; turn < 30; turn += 1) {
      await Promise.all([askAs("web-2"), proxy.ask({ from: "127.0.4.1" })]);
      await pause(100);
    }
    expect((await activity()).idleSeconds).toBeGreaterThanOrEqual(2);
    await askAs("web-1");
    expect((await activity()).idleSeconds).toBeLessThanOrEqual(1);
  });

  test("a request that runs there is seen", async () => {
    const running = askAs("web-1", "/slow");
    await until(async () => ((await activity()).running ?? 0) > 0, "it runs");
    let isOver = false;
    const answered = running.finally(() => (isOver = true));
    while (!isOver) {
      for (const backend of proxy.backends) backend.finishSlowRequests();
      await pause(20);
    }
    expect(portIn(await answered)).toBe(portOf("web-1"));
    // NGINX keeps a connection for a moment.
    await until(async () => (await activity()).running === 0, "it has ended");
  });

  test("if it fails, its clients get another server and its cookie", async () => {
    const gone = proxy.backends.find(({ port }) => port === portOf("web-1"))!;
    await gone.stop();
    try {
      const moved = await Promise.all(Array.from({ length: 10 }, () => askAs("web-1")));
      for (const answer of moved) {
        expect(answer.status).toBe(200);
        expect([portOf("web-2"), portOf("web-3")]).toContain(portIn(answer));
        expect(given(answer)).toEqual([expect.stringMatching(/^bluegreen-server=b[23]\./)]);
      }
    } finally {
      await gone.start();
      await until(async () => healthyIn((await proxy.driver.counts()).blue) === 3, "it is back");
    }
    await expectDraining();
  });

  test("out of rotation, its cookie counts as none; returned, it gets its clients and new ones again", async () => {
    await proxy.driver.exclude("blue", ["web-1"]);
    for (let turn = 0; turn < 5; turn += 1) {
      const answer = await askAs("web-1");
      expect(portIn(answer)).not.toBe(portOf("web-1"));
      expect(given(answer)).toEqual([expect.stringMatching(/^bluegreen-server=b[23]\./)]);
    }
    await proxy.driver.include("blue", ["web-1"]);
    expect(portIn(await askAs("web-1"))).toBe(portOf("web-1"));
    expect((await newcomers()).size).toBe(3);
  });
}
