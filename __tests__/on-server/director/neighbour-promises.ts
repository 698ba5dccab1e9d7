/** What one client does, whatever it does, is no other user's business, nor a release's. */
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../development/testbed/processes";
import { DifficultBackend } from "./difficult-backend";
import { DirectorProcesses } from "./director-process";
import type { ProxyKind } from "./proxy-kinds";
import { ask, ProxyUnderTest } from "./proxy-under-test";
import { Users, WorstClient } from "./worst-client";

const LIMITS = { answerSeconds: 2, clientSeconds: 2, headersSeconds: 2, idleSeconds: 5 };
/** The bucket 0 is the candidate's while the offset is 0. */
const CANDIDATE = 0;
const WATCHED_MS = 1_500;
const ANALYSIS = { intervalSeconds: 1, minimumRequests: 20, maxErrorRatio: 0.02, latencySlackMs: 5_000 };
const SCHEDULE = {
  ...{ strategy: "canary" as const, steps: [30, 100], stepSeconds: 2, bakeSeconds: 1, drainSeconds: 0 },
  analysis: ANALYSIS,
};
/** Two intervals, and what a director needs to get the traffic back. */
const TAKEN_BACK_MS = 2 * 1_000 * ANALYSIS.intervalSeconds + 2_500;

export function promisesToNeighbours(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  beforeAll(async () => {
    const site = { servers: 2, http: LIMITS };
    proxy = await ProxyUnderTest.create(kind, {}, (slot, port) => new DifficultBackend(slot, port), site);
  });
  afterAll(() => proxy?.close());

  test.each<[string, readonly number[]]>([
    ["at rest", [0]],
    ["at 50 per cent", [50]],
    ["while traffic shifts", [5, 20, 40, 60, 80, 100]],
  ])("a client that does its worst costs others nothing %s", async (_, weights) => {
    await proxy.set({ live: "blue", weight: weights[0]! });
    const { port } = proxy.spec.proxy;
    const users = new Users(port);
    await users.more(20);
    const worst = new WorstClient(port, CANDIDATE);
    for (const weight of weights) {
      await proxy.set({ live: "blue", weight });
      await sleep(WATCHED_MS / weights.length);
    }
    await users.more(50);
    await worst.stop();
    await users.stop();
    expect(users.failures).toEqual([]);
  });

  describe("a release", () => {
    let director: DirectorProcesses;
    let users: Users;
    beforeEach(async () => {
      director = new DirectorProcesses(proxy, SCHEDULE);
      await director.begin();
      users = new Users(proxy.spec.proxy.port);
    });
    afterEach(async () => {
      await users.stop();
      for (const each of proxy.backends) each.trouble = {};
    });

    /** The candidate gets traffic. @returns one of its buckets. */
    async function candidateServes(): Promise<number> {
      await until(async () => (await proxy.driver.observe()).weight === 30, "the candidate serves");
      const buckets = await proxy.candidateBuckets();
      return buckets[0]!;
    }

    test("is promoted although one client of the candidate asks for what fails in both releases", async () => {
      const { ended } = director.start("switch", director.second);
      const bucket = await candidateServes();
      let isOver = false;
      void ended.then(() => (isOver = true));
      while (!isOver) {
        const path = "/headers?status=500";
        await ask(proxy.spec.proxy.port, { path, bucket, from: "127.9.9.9" }).catch(() => undefined);
        await sleep(20);
      }
      expect(await ended).toMatchObject({ exitCode: 0, stderr: "" });
      expect(await proxy.driver.observe()).toMatchObject({ live: "green", weight: 0 });
      expect(users.failures).toEqual([]);
    });

    /** Two requests on one connection, until a release is over. */
    async function pairs(over: Promise<unknown>, path: string, from: string, buckets: readonly number[]) {
      let isOver = false;
      void over.then(() => (isOver = true));
      for (let turn = 0; !isOver; turn += 1) {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const bucket = buckets[turn % buckets.length]!;
        for (const each of ["/", path])
          await ask(proxy.spec.proxy.port, { path: each, bucket, from, agent }).catch(() => undefined);
        agent.destroy();
        await sleep(20);
      }
    }

    test("is promoted although instances of both releases break off all later requests of one client's connections", async () => {
      const { ended } = director.start("switch", director.second);
      await pairs(ended, "/reset", "127.9.9.9", [await candidateServes()]);
      expect(await ended).toMatchObject({ exitCode: 0, stderr: "" });
      expect(users.failures).toEqual([]);
    });

    test("whose instances break off every second request of its users' connections is rolled back", async () => {
      const { ended } = director.start("switch", director.second);
      await candidateServes();
      const buckets = await proxy.candidateBuckets();
      for (const each of proxy.backends) if (each.slot === "green") each.trouble = { breaksOff: "/second" };
      const clients = Array.from({ length: 8 }, (_, client) => `127.0.2.${client + 1}`);
      await Promise.all(clients.map((from) => pairs(ended, "/second", from, buckets)));
      expect((await ended).exitCode).toBe(5);
      expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 0 });
    });

    test("that is bad for all its users is rolled back within two intervals", async () => {
      const { ended } = director.start("switch", director.second);
      await candidateServes();
      const begun = performance.now();
      for (const each of proxy.backends) if (each.slot === "green") each.trouble = { status: 500 };
      expect((await ended).exitCode).toBe(5);
      expect(performance.now() - begun).toBeLessThan(TAKEN_BACK_MS);
      expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 0 });
    });
  });
}
