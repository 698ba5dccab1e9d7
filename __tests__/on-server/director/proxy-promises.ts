/** What every kind of proxy promises to a director and to users; real requests, real backends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { between } from "../../../on-server/director/analysis";
import type { SlotCounts, Traffic } from "../../../on-server/director/drivers/driver";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import { otherSlot, SLOTS } from "../../../release/slot";
import type { PerSlot } from "../../../release/slot";
import { listeningPorts } from "./process-facts";
import { Load } from "./proxy-load";
import { healthyIn, PREVIEW_SECRET, ProxyUnderTest } from "./proxy-under-test";
import { until } from "../../../development/testbed/processes";
import type { ProxyKind } from "./proxy-kinds";

/** NGINX tells its answers in packs. */
const TOLD_WITHIN_MS = 250;

/** An instance of a release that is a process of its own, and can be killed. */
const INSTANCE = `
  const server = require("node:http").createServer((request, response) => {
    request.resume();
    setTimeout(() => response.setHeader("x-slot", "green").end("release"), request.url === "/health" ? 0 : 20);
  });
  server.listen(Number(process.argv[1]), "127.0.0.1");
`;

export function promisesOfAProxy(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  beforeAll(async () => void (proxy = await ProxyUnderTest.create(kind)));
  afterAll(() => proxy?.close());
  /** What a kind of proxy can't do is no promise of its. */
  const where = (can: boolean) => (can ? test : () => undefined);
  const canHold = where(kind.holds);
  const canCut = where(kind.cuts);
  const rotatesWithoutReload = where(kind.rotatesWithoutReload);
  const inWeight = (weight: number, offset: number) =>
    Array.from({ length: 100 }, (_, bucket) => bucket).filter((bucket) => (bucket + offset) % 100 < weight);

  test("before the first deployment users get a 503 page that says when to try again", async () => {
    const { status, headers, body, bucket } = await proxy.ask();
    expect({ status, bucket }).toEqual({ status: 503, bucket: undefined });
    expect(headers).toMatchObject({ "retry-after": "5", "content-type": "text/html; charset=utf-8" });
    expect(body).toContain("Nothing is deployed yet");
    expect(await proxy.driver.observe()).toEqual(CLOSED);
  });

  test("what is set is what is observed", async () => {
    const values: Traffic[] = [
      { live: "blue", weight: 0, offset: 0, mode: "serve", fallback: false },
      { live: "green", weight: 100, offset: 99, mode: "hold", fallback: true },
      { live: "blue", weight: 1, offset: 42, mode: "page", fallback: false },
      CLOSED,
    ];
    for (const traffic of values) {
      await proxy.driver.setTraffic(traffic);
      expect(await proxy.driver.observe()).toEqual(traffic);
    }
  });

  test("at a weight of n per cent exactly n of the 100 buckets go to the candidate, and none comes back as it grows", async () => {
    let before: number[] = [];
    for (const weight of [0, 1, 5, 25, 50, 99, 100]) {
      await proxy.set({ weight, offset: 37 });
      const buckets = await proxy.candidateBuckets();
      expect(buckets).toEqual(inWeight(weight, 37));
      expect(buckets).toEqual(expect.arrayContaining(before));
      before = buckets;
    }
  });

  test("with green live the rest of the buckets go there", async () => {
    await proxy.set({ live: "green", weight: 30, offset: 90 });
    const buckets = await proxy.candidateBuckets();
    expect(buckets).toHaveLength(70);
  });

  test("a client without a bucket gets one while traffic is divided, and both sides stick to it", async () => {
    await proxy.set({ weight: 50 });
    const sides = new Set<string>();
    for (let client = 0; client < 40; client += 1) {
      const { slot, bucket } = await proxy.ask();
      expect(bucket).toBeGreaterThanOrEqual(0);
      expect(bucket).toBeLessThan(100);
      for (let turn = 0; turn < 3; turn += 1) {
        expect(await proxy.ask({ bucket: bucket! })).toMatchObject({ slot, bucket: undefined });
      }
      sides.add(slot!);
    }
    expect([...sides].sort()).toEqual(["blue", "green"]);
  });

  test("a bucket that is none is replaced", async () => {
    await proxy.set({ weight: 50 });
    for (const bucket of ["100", "-1", "abc", "", "1x"]) {
      expect((await proxy.ask({ bucket })).bucket).toBeDefined();
    }
  });

  test("the bucket comes beside the application's own cookies", async () => {
    await proxy.set({ weight: 50 });
    const { headers } = await proxy.ask({ path: "/session" });
    expect(headers["set-cookie"]).toEqual(
      expect.arrayContaining([
        "session=1",
        "theme=dark",
        expect.stringMatching(/^bluegreen-bucket=\d+; Path=\/; .*HttpOnly/),
      ]),
    );
  });

  test.each([0, 100])("no cookie is set at %i per cent, as nothing is divided", async (weight) => {
    await proxy.set({ weight });
    expect((await proxy.ask()).headers["set-cookie"]).toBeUndefined();
  });

  test("clients that keep no cookies get the candidate as often as the weight says", async () => {
    await proxy.set({ weight: 30 });
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const answers = await Promise.all(Array.from({ length: 600 }, () => proxy.ask({ agent })));
    agent.destroy();
    const candidate = answers.filter(({ slot }) => slot === "green").length;
    // 180 on average; less than one run in ten million is outside of this by chance.
    expect(candidate).toBeGreaterThan(120);
    expect(candidate).toBeLessThan(240);
  });

  test("a proxy that is restarted comes up with the traffic it had", async () => {
    await proxy.set({ weight: 25, offset: 11, fallback: true });
    const before = await proxy.driver.observe();
    await proxy.stop();
    await proxy.start();
    expect(await proxy.driver.observe()).toEqual(before);
    expect(await proxy.candidateBuckets()).toEqual(inWeight(25, 11));
  });

  canHold(
    "hold: while the application is stopped and started again requests wait, and none is lost",
    async () => {
      await proxy.set({ mode: "serve" });
      const load = new Load(proxy.spec.proxy.port);
      await load.more(30);
      await proxy.set({ mode: "hold" });
      const slow = proxy.ask({ path: "/slow" });
      await until(() => proxy.blue.seen.some(({ url }) => url === "/slow"), "the slow request runs");
      await load.pause();
      await proxy.blue.stop();
      load.resume();
      await until(async () => (await proxy.driver.counts()).blue.inFlight >= 6, "requests wait");
      await proxy.blue.start();
      await load.more(30);
      await proxy.set({ mode: "serve" });
      await load.more(30);
      await load.stop();
      expect(load.lost).toEqual([]);
      expect((await slow).status).toBe(200);
    },
  );

  test("page: while the application is down users get a 503 page, and the site heals by itself", async () => {
    await proxy.set({ mode: "page" });
    expect((await proxy.ask()).status).toBe(200);
    await proxy.blue.stop();
    const { status, headers, body } = await proxy.ask();
    expect(status).toBe(503);
    expect(headers["retry-after"]).toBe("5");
    expect(body).toContain("The site is being updated");
    await proxy.blue.start();
    expect((await proxy.ask()).status).toBe(200);
  });

  canHold("hold: an instance that is about to stop gets one request a connection", async () => {
    await proxy.set({ mode: "hold" });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const connections = new Set<string>();
    for (const _ of ["over a new connection of the user", "over the same one"]) {
      const { headers } = await proxy.ask({ path: "/headers", agent });
      connections.add(headers["x-connection"] as string);
    }
    expect(connections.size).toBe(2);
    agent.destroy();
  });

  test("with fallback the other slot stands in for one without a healthy endpoint", async () => {
    await proxy.set({ weight: 50, fallback: true });
    await proxy.green.stop();
    await until(async () => healthyIn((await proxy.driver.counts()).green) === 0, "the proxy notices");
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 200, slot: "blue" });
    await proxy.set({ weight: 50, fallback: false });
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 503, slot: undefined });
    await proxy.green.start();
    await until(async () => healthyIn((await proxy.driver.counts()).green) === 1, "the proxy notices");
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 200, slot: "green" });
  });

  test("a server out of rotation gets no request, is still checked, and does not count as up", async () => {
    const green = async () =>
      (await proxy.driver.counts()).green.endpoints.map(({ server, healthy, inRotation }) => ({
        ...{ server, healthy, inRotation },
      }));
    await proxy.set({ weight: 50, fallback: true });
    expect(await green()).toEqual([{ server: "web-1", healthy: true, inRotation: true }]);
    for (const _ of ["once", "twice"]) await proxy.driver.exclude("green", ["web-1"]);
    expect(await green()).toEqual([{ server: "web-1", healthy: true, inRotation: false }]);
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 200, slot: "blue" });
    await proxy.set({ live: "green", weight: 0, fallback: false });
    expect(await proxy.ask()).toMatchObject({ status: 503, slot: undefined });
    await proxy.green.stop();
    await until(async () => (await green())[0]?.healthy === false, "the proxy notices");
    expect(await green()).toEqual([{ server: "web-1", healthy: false, inRotation: false }]);
    await proxy.green.start();
    await until(async () => (await green())[0]?.healthy === true, "the proxy notices");
    expect((await proxy.ask()).status).toBe(503);
    for (const _ of ["once", "twice"]) await proxy.driver.include("green", ["web-1"]);
    expect(await green()).toEqual([{ server: "web-1", healthy: true, inRotation: true }]);
    expect(await proxy.ask()).toMatchObject({ status: 200, slot: "green" });
  });

  rotatesWithoutReload("a server that leaves the rotation and comes back costs no request", async () => {
    await proxy.set({ weight: 50, fallback: true });
    const load = new Load(proxy.spec.proxy.port);
    for (let change = 0; change < 10; change += 1) {
      await proxy.driver.exclude("green", ["web-1"]);
      await load.more(20);
      await proxy.driver.include("green", ["web-1"]);
      await load.more(20);
    }
    await load.stop();
    expect(load.lost).toEqual([]);
  });

  test("a proxy that is restarted keeps servers out of rotation", async () => {
    await proxy.set({ live: "green" });
    await proxy.driver.exclude("green", ["web-1"]);
    await proxy.stop();
    await proxy.start();
    expect((await proxy.driver.counts()).green.endpoints[0]?.inRotation).toBe(false);
    expect((await proxy.ask()).status).toBe(503);
    await proxy.driver.include("green", ["web-1"]);
    await proxy.stop();
    await proxy.start();
    expect((await proxy.ask()).status).toBe(200);
  });

  test("a server that the proxy does not know is refused", async () => {
    await expect(proxy.driver.exclude("green", ["web-9"])).rejects.toThrow(/web-9|No such server/);
  });

  test("counts requests, failed answers and what still runs, for each slot", async () => {
    await proxy.set({ weight: 50 });
    await proxy.driver.measureLatencies?.(true);
    const before = await settledCounts(proxy);
    const slow = proxy.ask({ bucket: 0, path: "/slow" });
    await until(async () => (await proxy.driver.counts()).green.inFlight === 1, "it runs");
    await proxy.ask({ bucket: 0, path: "/broken" });
    await proxy.ask({ bucket: 99 });
    proxy.green.finishSlowRequests();
    await slow;
    await until(async () => (await proxy.driver.counts()).green.inFlight === 0, "it has ended");
    // A proxy may count an answer a moment after it gave it.
    await until(async () => {
      const { blue, green } = await proxy.driver.counts();
      return blue.requests + green.requests === before.blue.requests + before.green.requests + 3;
    }, "all are counted");
    const { blue, green } = await proxy.driver.counts();
    expect(blue.requests - before.blue.requests).toBe(1);
    expect(blue.errors - before.blue.errors).toBe(0);
    expect(green.requests - before.green.requests).toBe(2);
    expect(green.errors - before.green.errors).toBe(1);
  });

  test("counts how long answers take to begin, for each slot", async () => {
    await proxy.set({ weight: 50 });
    await proxy.driver.measureLatencies?.(true);
    const before = await settledCounts(proxy);
    for (const path of ["/after/0", "/after/100", "/after/400"]) await proxy.ask({ bucket: 0, path });
    const counted = async () => (await proxy.driver.counts()).green.requests - before.green.requests;
    await until(async () => (await counted()) === 3, "all are counted");
    const { blue, green } = await proxy.driver.counts();
    const { latency } = between(before.green, green);
    expect(Object.values(latency).reduce((sum, count) => sum + count, 0)).toBe(3);
    const classes = Object.keys(latency)
      .map(Number)
      .sort((one, other) => one - other);
    expect(classes[0]).toBeLessThan(96);
    expect(classes[1]).toBeGreaterThanOrEqual(96);
    expect(classes[1]).toBeLessThan(400);
    expect(classes[2]).toBeGreaterThanOrEqual(400);
    expect(between(before.blue, blue).latency).toEqual({});
  });

  describe("a proxy that counts latencies only while they are wanted", () => {
    const onRequest = where(kind.measuresOnRequest);
    const measured = (buckets: readonly number[]) => latenciesOf(proxy, buckets);

    onRequest("counts none between releases", async () => {
      for (const weight of [0, 50, 100]) {
        await proxy.set({ weight });
        expect(await measured([0, 1, 50, 99])).toBe(0);
      }
    });

    onRequest(
      "counts all on a quiet site, also while traffic is whole, until they are not wanted",
      async () => {
        for (const weight of [0, 50]) {
          await proxy.set({ weight, offset: 10 });
          await proxy.driver.measureLatencies!(true);
          expect(await measured([92, 0, 50, 87])).toBe(4);
          await proxy.driver.measureLatencies!(false);
          expect(await measured([90, 91, 92, 93])).toBe(0);
        }
      },
    );

    onRequest("goes on when a candidate gets its weight, and ends when there is no candidate", async () => {
      const { driver } = proxy;
      await proxy.set({ weight: 0 });
      await driver.measureLatencies!(true);
      await driver.setTraffic({ ...CLOSED, live: "blue", weight: 50, fallback: true });
      expect(await measured([0, 1, 98, 99, 50])).toBe(5);
      expect(await driver.observe()).toMatchObject({ live: "blue", weight: 50 });
      await driver.setTraffic({ ...CLOSED, live: "green" });
      expect(await measured([0, 99])).toBe(0);
    });

    onRequest("counts them again after a restart", async () => {
      await proxy.set({ weight: 50 });
      await proxy.driver.measureLatencies!(true);
      await proxy.stop();
      await proxy.start();
      expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 50 });
      await until(async () => (await measured([0, 99])) === 2, "both are measured again");
      await proxy.driver.measureLatencies!(false);
    });
  });

  describe("a preview", () => {
    const header = { "x-bluegreen-preview": PREVIEW_SECRET };
    const cookie = { cookie: "a=b; bluegreen-preview=close" };

    test("shows the slot that is not live, before it has a weight and after, whatever the bucket", async () => {
      for (const [live, waiting, traffic] of [
        ["blue", "green", { weight: 0, fallback: false }],
        ["green", "blue", { weight: 0, fallback: false }],
        ["blue", "green", { weight: 30, fallback: true }],
        ["green", "blue", { weight: 30, fallback: true }],
      ] as const) {
        await proxy.set({ live, ...traffic });
        const { status, slot, headers, bucket } = await proxy.ask({ headers: header, bucket: 99 });
        expect({ status, slot, bucket }).toEqual({ status: 200, slot: waiting, bucket: undefined });
        expect(headers["x-bluegreen-slot"]).toBe(waiting);
      }
    });

    test("is not for who does not know the secret", async () => {
      await proxy.set({ weight: 0 });
      for (const headers of [{ "x-bluegreen-preview": "open" }, cookie, { "x-bluegreen-preview": "" }]) {
        const answer = await proxy.ask({ headers });
        expect(answer.slot).toBe("blue");
        expect(answer.headers["x-bluegreen-slot"]).toBeUndefined();
      }
    });

    test("keeps its secret from the application, and enters no figures", async () => {
      await proxy.set({ weight: 50 });
      const before = await proxy.driver.counts();
      const { headers, bucket } = await proxy.ask({ path: "/headers", headers: header });
      expect(headers["x-seen"]).not.toContain(PREVIEW_SECRET);
      expect(bucket).toBeUndefined();
      await proxy.ask({ path: "/broken", headers: header });
      const { green } = await proxy.driver.counts();
      const { requests, errors, latency } = between(before.green, green);
      expect({ requests, errors, latency }).toEqual({ requests: 0, errors: 0, latency: {} });
    });

    test("of a slot where nothing runs is the page", async () => {
      await proxy.set({ weight: 0, fallback: true });
      await proxy.green.stop();
      expect((await proxy.ask({ headers: header })).status).toBe(503);
      await proxy.green.start();
    });
  });

  canCut("cut ends what still runs on a slot, and nothing else", async () => {
    await proxy.set({ weight: 50 });
    const [green, blue] = [await proxy.webSocket("green"), await proxy.webSocket("blue")];
    const download = proxy.ask({ bucket: 0, path: "/slow" }).then(
      () => "ended",
      () => "cut",
    );
    await until(async () => (await proxy.driver.counts()).green.inFlight === 2, "both run");
    const ended = once(green, "close");
    await proxy.driver.cut("green");
    await ended;
    expect(await download).toBe("cut");
    await until(async () => (await proxy.driver.counts()).green.inFlight === 0, "none runs");
    proxy.green.finishSlowRequests();
    blue.write("still here");
    expect(String((await once(blue, "data"))[0])).toBe("still here");
    blue.destroy();
  });

  test("a slot that is killed at 50 per cent costs the requests that ran on it, and no other", async () => {
    await proxy.green.stop();
    const instance = spawn(process.execPath, ["-e", INSTANCE, String(proxy.green.port)], { stdio: "ignore" });
    await until(async () => healthyIn((await proxy.driver.counts()).green) === 1, "it is healthy");
    await proxy.set({ weight: 50, fallback: true });
    const asked: { begun: number; bucket: number; problem: string }[] = [];
    const agent = new Agent({ keepAlive: true, maxSockets: 40 });
    const pending: Promise<unknown>[] = [];
    let [exited, answered] = [Infinity, 0];
    void once(instance, "exit").then(() => (exited = performance.now()));
    for (let turn = 0; turn < 300; turn += 1) {
      if (turn === 100) instance.kill("SIGKILL");
      const one = { begun: performance.now(), bucket: turn % 100, problem: "" };
      asked.push(one);
      const question = turn % 2 === 0 ? {} : { method: "POST", body: `turn ${turn}` };
      pending.push(
        proxy.ask({ agent, bucket: one.bucket, ...question }).then(
          ({ status }) => (status === 200 ? (answered += 1) : (one.problem = String(status))),
          (error: Error) => (one.problem = error.message),
        ),
      );
      await sleep(5);
    }
    await Promise.all(pending);
    agent.destroy();
    await proxy.green.start();
    await until(async () => healthyIn((await proxy.driver.counts()).green) === 1, "the proxy notices");
    const failed = asked.filter(({ problem }) => problem !== "");
    // Each of them was on its way to the slot when it died.
    expect(failed.filter(({ begun, bucket }) => begun > exited || bucket >= 50)).toEqual([]);
    expect(answered + failed.length).toBe(300);
    await until(async () => (await proxy.ask({ bucket: 0 })).slot === "green", "it is in use again");
  });

  test("only its own user can tell the proxy something, and not over the network", () => {
    expect(statSync(kind.control).mode & 0o022).toBe(0);
    expect(listeningPorts(proxy.process!.pid!)).toEqual([proxy.spec.proxy.port]);
  });

  test("a value that is no traffic is refused before anything changes", async () => {
    await proxy.set({ live: otherSlot("blue") });
    const wrong = { ...CLOSED, live: "blue", weight: 101 } as Traffic;
    await expect(proxy.driver.setTraffic(wrong)).rejects.toThrow(/traffic entries/);
    expect(await proxy.driver.observe()).toMatchObject({ live: "green", weight: 0 });
    expect((await proxy.ask()).slot).toBe("green");
  });
}

/** What was answered before is counted: a proxy may tell it a moment later. */
async function settledCounts(proxy: ProxyUnderTest): Promise<PerSlot<SlotCounts>> {
  await sleep(TOLD_WITHIN_MS);
  return proxy.driver.counts();
}

/** How many answers of these buckets are among the latencies. */
async function latenciesOf(proxy: ProxyUnderTest, buckets: readonly number[]): Promise<number> {
  const before = await settledCounts(proxy);
  for (const bucket of buckets) await proxy.ask({ bucket });
  const now = await settledCounts(proxy);
  const all = SLOTS.flatMap((slot) => Object.values(between(before[slot], now[slot]).latency));
  return all.reduce((sum, count) => sum + count, 0);
}
