/** Which client got what, while a release is watched: users with addresses of 127.0.0.0/8, a real HAProxy. */
import { Agent, request } from "node:http";
import { betweenByClient } from "../../../on-server/director/analysis";
import { until } from "../../../development/testbed/processes";
import { SLOTS } from "../../../release/slot";
import { DifficultBackend } from "./difficult-backend";
import { describeWith, haproxy } from "./proxy-kinds";
import { healthyIn, ProxyUnderTest } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";

describeWith(haproxy)("haproxy counts clients", () => {
  let proxy: ProxyUnderTest;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(haproxy, {}, (slot, port) => new DifficultBackend(slot, port), {
      http: { trusted: ["127.0.0.64/30"], answerSeconds: 2, clientSeconds: 1 },
    });
  });
  afterAll(() => proxy?.close());

  async function countedOf(ask: () => Promise<unknown>) {
    const before = await proxy.driver.counts();
    await ask();
    const now = await proxy.driver.counts();
    return Object.fromEntries(
      SLOTS.map((slot) => {
        const clients = Object.entries(betweenByClient(before[slot], now[slot]).clients ?? {});
        return [
          slot,
          Object.fromEntries(clients.map(([key, { requests, errors }]) => [key, [requests, errors]])),
        ];
      }),
    );
  }
  const watched = async (traffic: object) => {
    await proxy.set(traffic);
    await proxy.driver.measureLatencies!(true);
    await proxy.set(traffic);
  };

  test("none at rest, nor while a divided site is not watched", async () => {
    for (const weight of [0, 50]) {
      await proxy.set({ weight });
      await proxy.driver.measureLatencies!(false);
      await proxy.ask({ bucket: 1, from: "127.0.0.5" });
      const { blue, green } = await proxy.driver.counts();
      expect([blue.clients, green.clients]).toEqual([undefined, undefined]);
    }
  });

  test.each([0, 50, 100])("by address and bucket, with their failures, at a weight of %i", async (weight) => {
    await watched({ weight, fallback: true });
    const counted = await countedOf(async () => {
      for (const from of ["127.0.0.5", "127.0.0.6"]) {
        await proxy.ask({ bucket: 1, from });
        await proxy.ask({ bucket: 99, from });
      }
      for (const path of ["/headers?status=500", "/headers?status=501", "/headers?status=404", "/close"])
        await proxy.ask({ bucket: 1, from: "127.0.0.6", path });
      // An answer that breaks off.
      await expect(proxy.ask({ bucket: 1, from: "127.0.0.6", path: "/half" })).rejects.toThrow();
    });
    const [one, other] = [
      { "127.0.0.5|1": [1, 0], "127.0.0.6|1": [6, 4] },
      { "127.0.0.5|99": [1, 0], "127.0.0.6|99": [1, 0] },
    ];
    const all = { ...one, ...other };
    expect(counted).toEqual(
      { 0: { blue: all, green: {} }, 50: { blue: other, green: one }, 100: { blue: {}, green: all } }[weight],
    );
  });

  describe("with failures that HAProxy answers itself, or not at all", () => {
    const client = "127.0.0.10|1";
    /** What a client has of one request for this path. */
    const countedFor = async (path: string, question: object = {}) => {
      const asked = { bucket: 1, from: "127.0.0.10", ...question };
      await proxy.ask({ ...asked, path: "/" });
      const counted = await countedOf(() => proxy.ask({ ...asked, path }).catch(() => undefined));
      return counted["green"]![client];
    };
    beforeEach(() => watched({ weight: 50, fallback: true }));

    test.each(["/reset", "/close", "/large?kilobytes=40"])("%s", async (path) => {
      expect(await countedFor(path)).toEqual([1, 1]);
    });

    test.each(["/reset", "/close"])("%s on a connection that has served before", async (path) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      expect(await countedFor(path, { agent })).toEqual([1, 1]);
      agent.destroy();
    });

    test("not with requests that they left, whatever else fails at the same time", async () => {
      const leaves = async (path: string, end: boolean) => {
        const asked = request({
          ...{
            host: "127.0.0.1",
            port: proxy.spec.proxy.port,
            path,
            localAddress: "127.0.0.11",
            agent: false,
          },
          ...{ method: "POST", headers: { cookie: "bluegreen-bucket=1", "content-length": 4 } },
        }).on("error", () => undefined);
        if (end) asked.end("1234");
        else asked.write("12");
        await until(async () => (await proxy.driver.counts()).green.inFlight > 0, "it runs");
        asked.destroy();
        await until(async () => (await proxy.driver.counts()).green.inFlight === 0, "it has ended");
      };
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const { green } = await countedOf(async () => {
        for (const path of ["/silent", "/endless"]) for (const end of [true, false]) await leaves(path, end);
        await proxy.ask({ bucket: 1, from: "127.0.0.10", agent });
        await proxy.ask({ bucket: 1, from: "127.0.0.10", agent, path: "/reset" }).catch(() => undefined);
      });
      agent.destroy();
      expect(green).toEqual({ "127.0.0.10|1": [2, 1], "127.0.0.11|1": [4, 0] });
    });

    test("an upload whose client falls silent", async () => {
      const before = await proxy.driver.counts();
      const client = await RawConnection.open(proxy.spec.proxy.port, "127.0.0.12");
      client.ask("POST /upload HTTP/1.1", "Host: a", "Cookie: bluegreen-bucket=1", "Content-Length: 10");
      client.send("half");
      await client.closed();
      const { errors, clients } = betweenByClient(before.green, (await proxy.driver.counts()).green);
      // HAProxy 2.6 takes it for the instance's silence.
      expect(errors).toBeLessThanOrEqual(1);
      expect(clients).toMatchObject({ "127.0.0.12|1": { requests: 1, errors } });
    });

    test("refused connections, where the other slot takes over and where nobody does", async () => {
      await proxy.green.stop();
      expect(await countedFor("/")).toEqual([1, 1]);
      await proxy.blue.stop();
      await until(async () => (await proxy.ask({ bucket: 1 })).status === 503, "nobody serves");
      expect((await countedFor("/"))![1]).toBeGreaterThanOrEqual(1);
      for (const each of [proxy.green, proxy.blue]) await each.start();
      await until(async () => {
        const { blue, green } = await proxy.driver.counts();
        return healthyIn(blue) + healthyIn(green) === 2;
      }, "both slots are healthy");
    });
  });

  test("who keeps no cookie by the bucket that was drawn", async () => {
    await watched({ weight: 50 });
    const buckets: number[] = [];
    const { blue, green } = await countedOf(async () => {
      for (let turn = 0; turn < 10; turn += 1) buckets.push((await proxy.ask({ from: "127.0.0.7" })).bucket!);
    });
    expect(new Set(Object.keys({ ...blue, ...green }))).toEqual(
      new Set(buckets.map((each) => `127.0.0.7|${each}`)),
    );
  });

  test("behind balancers by the address that the last trusted one reports", async () => {
    await watched({ weight: 50 });
    const { green } = await countedOf(async () => {
      for (const [from, reported] of [
        ["127.0.0.5", "1.1.1.1"],
        ["127.0.0.65", "1.1.1.1, 2.2.2.2"],
        ["127.0.0.65", "1.1.1.1, 2001:db8::7, 127.0.0.66"],
        ["127.0.0.65", "no address"],
      ] as const)
        await proxy.ask({ bucket: 1, from, headers: { "x-forwarded-for": reported } });
    });
    expect(new Set(Object.keys(green!))).toEqual(
      new Set(["127.0.0.5|1", "2.2.2.2|1", "2001:db8::7|1", "127.0.0.65|1"]),
    );
  });

  test("with their latencies, so that a slow one is found", async () => {
    await watched({ weight: 50 });
    const before = await proxy.driver.counts();
    await Promise.all([
      proxy.ask({ bucket: 1, from: "127.0.0.8", path: "/after/300" }),
      ...Array.from({ length: 5 }, () => proxy.ask({ bucket: 1, from: "127.0.0.9" })),
    ]);
    const { clients = {}, latency } = betweenByClient(before.green, (await proxy.driver.counts()).green);
    const slow = Object.keys(clients["127.0.0.8|1"]!.latency).map(Number);
    expect(slow).toHaveLength(1);
    expect(slow[0]).toBeGreaterThanOrEqual(288);
    const sum = (counts: object) =>
      Object.values(counts as Record<string, number>).reduce((one, other) => one + other, 0);
    expect([sum(clients["127.0.0.9|1"]!.latency), sum(latency)]).toEqual([5, 6]);
  });

  test("after a restart, too", async () => {
    await watched({ weight: 50 });
    await proxy.ask({ bucket: 1, from: "127.0.0.5" });
    await proxy.driver.counts();
    await proxy.stop();
    await proxy.start();
    await proxy.driver.measureLatencies!(true);
    await proxy.set({ weight: 50 });
    const { green } = await countedOf(() => proxy.ask({ bucket: 1, from: "127.0.0.5" }));
    expect(green).toEqual({ "127.0.0.5|1": [1, 0] });
  });
});
