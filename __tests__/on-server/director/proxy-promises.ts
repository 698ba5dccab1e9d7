/** What every kind of proxy promises to a director and to users; real requests, real backends. */
import { statSync } from "node:fs";
import { Agent } from "node:http";
import type { Traffic } from "../../../on-server/director/drivers/driver";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import { otherSlot, SLOTS } from "../../../release/slot";
import { healthyIn, listeningPorts, Load, ProxyUnderTest, until } from "./proxy-under-test";
import type { ProxyKind } from "./proxy-under-test";

export function promisesOfAProxy(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  beforeAll(async () => void (proxy = await ProxyUnderTest.create(kind)));
  afterAll(() => proxy?.close());
  const inShare = (share: number, offset: number) =>
    Array.from({ length: 100 }, (_, bucket) => bucket).filter((bucket) => (bucket + offset) % 100 < share);

  test("before the first deployment users get a 503 page that says when to try again", async () => {
    const { status, headers, body, bucket } = await proxy.ask();
    expect({ status, bucket }).toEqual({ status: 503, bucket: undefined });
    expect(headers).toMatchObject({ "retry-after": "5", "content-type": "text/html; charset=utf-8" });
    expect(body).toContain("Nothing is deployed yet");
    expect(await proxy.driver.observe()).toEqual(CLOSED);
  });

  test("what is set is what is observed", async () => {
    const values: Traffic[] = [
      { live: "blue", share: 0, offset: 0, mode: "serve", fallback: false },
      { live: "green", share: 100, offset: 99, mode: "hold", fallback: true },
      { live: "blue", share: 1, offset: 42, mode: "page", fallback: false },
      CLOSED,
    ];
    for (const traffic of values) {
      await proxy.driver.setTraffic(traffic);
      expect(await proxy.driver.observe()).toEqual(traffic);
    }
  });

  test("at a share of n per cent exactly n of the 100 buckets go to the candidate, and none comes back as it grows", async () => {
    let before: number[] = [];
    for (const share of [0, 1, 5, 25, 50, 99, 100]) {
      await proxy.set({ share, offset: 37 });
      const buckets = await proxy.candidateBuckets();
      expect(buckets).toEqual(inShare(share, 37));
      expect(buckets).toEqual(expect.arrayContaining(before));
      before = buckets;
    }
  });

  test("with green live the rest of the buckets go there", async () => {
    await proxy.set({ live: "green", share: 30, offset: 90 });
    const buckets = await proxy.candidateBuckets();
    expect(buckets).toHaveLength(70);
  });

  test("a client without a bucket gets one while traffic is divided, and both sides stick to it", async () => {
    await proxy.set({ share: 50 });
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
    await proxy.set({ share: 50 });
    for (const bucket of ["100", "-1", "abc", "", "1x"]) {
      expect((await proxy.ask({ bucket })).bucket).toBeDefined();
    }
  });

  test("the bucket comes beside the application's own cookies", async () => {
    await proxy.set({ share: 50 });
    const { headers } = await proxy.ask({ path: "/session" });
    expect(headers["set-cookie"]).toEqual(
      expect.arrayContaining([
        "session=1",
        "theme=dark",
        expect.stringMatching(/^bluegreen-bucket=\d+; Path=\/; .*HttpOnly/),
      ]),
    );
  });

  test.each([0, 100])("no cookie is set at %i per cent, as nothing is divided", async (share) => {
    await proxy.set({ share });
    expect((await proxy.ask()).headers["set-cookie"]).toBeUndefined();
  });

  test("clients that keep no cookies get the candidate as often as the share says", async () => {
    await proxy.set({ share: 30 });
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const answers = await Promise.all(Array.from({ length: 600 }, () => proxy.ask({ agent })));
    agent.destroy();
    const candidate = answers.filter(({ slot }) => slot === "green").length;
    // 180 on average; less than one run in ten million is outside of this by chance.
    expect(candidate).toBeGreaterThan(120);
    expect(candidate).toBeLessThan(240);
  });

  test("a proxy that is restarted comes up with the traffic it had", async () => {
    await proxy.set({ share: 25, offset: 11, fallback: true });
    const before = await proxy.driver.observe();
    await proxy.stop();
    await proxy.start();
    expect(await proxy.driver.observe()).toEqual(before);
    expect(await proxy.candidateBuckets()).toEqual(inShare(25, 11));
  });

  test("hold: while the application is stopped and started again requests wait, and none is lost", async () => {
    await proxy.set({ mode: "serve" });
    const load = new Load(proxy.spec.proxy.port);
    await load.more(30);
    await proxy.set({ mode: "hold" });
    const slow = proxy.ask({ path: "/slow" });
    await until("the slow request runs", () => proxy.blue.seen.some(({ url }) => url === "/slow"));
    await load.pause();
    await proxy.blue.stop();
    load.resume();
    await until("requests wait", async () => (await proxy.driver.counts()).blue.inFlight >= 6);
    await proxy.blue.start();
    await load.more(30);
    await proxy.set({ mode: "serve" });
    await load.more(30);
    await load.stop();
    expect(load.lost).toEqual([]);
    expect((await slow).status).toBe(200);
  });

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

  test("with fallback the other slot stands in for one without a healthy endpoint", async () => {
    await proxy.set({ share: 50, fallback: true });
    await proxy.green.stop();
    await until("the proxy notices", async () => healthyIn((await proxy.driver.counts()).green) === 0);
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 200, slot: "blue" });
    await proxy.set({ share: 50, fallback: false });
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 503, slot: undefined });
    await proxy.green.start();
    await until("the proxy notices", async () => healthyIn((await proxy.driver.counts()).green) === 1);
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 200, slot: "green" });
  });

  test("a server out of rotation gets no request, is still checked, and does not count as up", async () => {
    const green = async () => (await proxy.driver.counts()).green.endpoints;
    await proxy.set({ share: 50, fallback: true });
    expect(await green()).toEqual([{ server: "web-1", healthy: true, inRotation: true }]);
    for (const _ of ["once", "twice"]) await proxy.driver.exclude("green", ["web-1"]);
    expect(await green()).toEqual([{ server: "web-1", healthy: true, inRotation: false }]);
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 200, slot: "blue" });
    await proxy.set({ live: "green", share: 0, fallback: false });
    expect(await proxy.ask()).toMatchObject({ status: 503, slot: undefined });
    await proxy.green.stop();
    await until("the proxy notices", async () => (await green())[0]?.healthy === false);
    expect(await green()).toEqual([{ server: "web-1", healthy: false, inRotation: false }]);
    await proxy.green.start();
    await until("the proxy notices", async () => (await green())[0]?.healthy === true);
    expect((await proxy.ask()).status).toBe(503);
    for (const _ of ["once", "twice"]) await proxy.driver.include("green", ["web-1"]);
    expect(await green()).toEqual([{ server: "web-1", healthy: true, inRotation: true }]);
    expect(await proxy.ask()).toMatchObject({ status: 200, slot: "green" });
  });

  test("a server that leaves the rotation and comes back costs no request", async () => {
    await proxy.set({ share: 50, fallback: true });
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
    await proxy.set({ share: 50 });
    const before = await proxy.driver.counts();
    const slow = proxy.ask({ bucket: 0, path: "/slow" });
    await until("it runs", async () => (await proxy.driver.counts()).green.inFlight === 1);
    await proxy.ask({ bucket: 0, path: "/broken" });
    await proxy.ask({ bucket: 99 });
    proxy.green.finishSlowRequests();
    await slow;
    await until("it has ended", async () => (await proxy.driver.counts()).green.inFlight === 0);
    const { blue, green } = await proxy.driver.counts();
    expect(blue.requests - before.blue.requests).toBe(1);
    expect(blue.errors - before.blue.errors).toBe(0);
    expect(green.requests - before.green.requests).toBe(2);
    expect(green.errors - before.green.errors).toBe(1);
  });

  test("thirty changes of the traffic lose no request", async () => {
    await proxy.set({ share: 0 });
    const load = new Load(proxy.spec.proxy.port);
    for (let change = 0; change < 30; change += 1) {
      const live = SLOTS[Math.floor(change / 5) % 2]!;
      await proxy.set({
        live,
        share: (change * 37) % 101,
        offset: (change * 13) % 100,
        fallback: change % 2 === 0,
      });
      await load.more(8);
    }
    await load.stop();
    expect(load.lost).toEqual([]);
    expect(load.answered).toBeGreaterThanOrEqual(240);
  });

  test("only its own user can tell the proxy something, and not over the network", () => {
    expect(statSync("admin.sock").mode & 0o777).toBe(0o600);
    expect(listeningPorts(proxy.process!.pid!)).toEqual([proxy.spec.proxy.port]);
  });

  test("a value that is no traffic is reported, not guessed", async () => {
    const wrong = { ...CLOSED, live: "blue", share: 101 } as Traffic;
    await expect(proxy.driver.setTraffic(wrong)).rejects.toThrow(/traffic entries/);
    await proxy.set({ live: otherSlot("green") });
    expect((await proxy.ask()).slot).toBe("blue");
  });
}
