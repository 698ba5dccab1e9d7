/** HAProxy, driven without ever reloading it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import { ClientsOfSlot } from "../../../on-server/director/drivers/haproxy/client-counts";
import { CLIENT_LATENCIES, CLIENTS } from "../../../on-server/director/drivers/haproxy/client-rules";
import {
  ADMIN_SOCKET,
  HaproxyConfigurator,
} from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { HaproxyDriver } from "../../../on-server/director/drivers/haproxy/haproxy-driver";
import { LiveMap } from "../../../on-server/director/drivers/haproxy/live-map";
import { RuntimeSocket } from "../../../on-server/director/drivers/haproxy/runtime-socket";
import { SLOTS } from "../../../release/slot";
import { promisesOfAnswers } from "./answer-promises";
import { promisesOfExchanges } from "./exchange-promises";
import { promisesOfLimits } from "./limit-promises";
import { promisesToNeighbours } from "./neighbour-promises";
import { promisesUnderLoad } from "./load-promises";
import { promisesAcrossProtocols } from "./protocol-promises";
import { promisesOfAProxy } from "./proxy-promises";
import { describeWith, haproxy } from "./proxy-kinds";
import { proxySpec, ProxyUnderTest } from "./proxy-under-test";
import { until } from "../../../development/testbed/processes";
import { acceptsEveryTopology, complaintOf } from "./proxy-configuration";

const HOSTILE_PATH = "/a~b!&()*+,;=:@%20/?-_.%5B0%5D&q=%25";

describeWith(haproxy)("haproxy", () => {
  promisesOfAProxy(haproxy);
  describe("in its counts of answers", () => promisesOfAnswers(haproxy));
  describe("across protocols", () => promisesAcrossProtocols(haproxy));
  describe("in each exchange", () => promisesOfExchanges(haproxy));
  describe("with limits", () => promisesOfLimits(haproxy));
  describe("to everyone else", () => promisesToNeighbours(haproxy));
  describe("under load", () => promisesUnderLoad(haproxy));

  acceptsEveryTopology("haproxy");

  test("with TLS, users come to its port, and the other one brings them there", () => {
    const spec = proxySpec({ driver: "haproxy", topology: "sideBySide", servers: 2 });
    const encrypted = { ...spec, proxy: { ...spec.proxy, tls: { port: 8443, certificate: "tls/site.pem" } } };
    const { "haproxy.cfg": configuration } = new HaproxyConfigurator(encrypted).files();
    expect(configuration).toContain(
      "  bind 127.0.0.1:8443 ssl crt tls/site.pem alpn h2,http/1.1 ssl-min-ver TLSv1.2\n",
    );
    expect(configuration).toContain("  http-request add-header X-Forwarded-Proto https\n");
    expect(configuration).toContain("location https://%[var(txn.host)]:8443%[pathq]\n");
  });

  test.each([
    { path: HOSTILE_PATH },
    { path: "/*" },
    { path: "/(&;!)" },
    { path: "/%", host: "xn--bcher-kva.example:65535", status: 599 },
    { path: `/${"a".repeat(500)}`, host: `${"a".repeat(240)}.com`, status: 302 },
  ])("accepts whatever an environment file may say about health: %j", (verification) => {
    const spec = proxySpec({ driver: "haproxy", topology: "sideBySide", servers: 2, verification });
    expect(complaintOf(spec)).toBe("");
  });
});

describeWith(haproxy)("haproxy's health checks", () => {
  let proxy: ProxyUnderTest;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(haproxy, { path: HOSTILE_PATH, host: "shop.example:8443" });
  });
  afterAll(() => proxy?.close());

  test("ask for exactly the path and the host of the environment", async () => {
    const { seen } = proxy.green;
    await until(() => seen.length > 0, "a check came");
    expect(seen[0]).toEqual({ method: "GET", url: HOSTILE_PATH, host: "shop.example:8443" });
  });

  test("a HAProxy that is killed while it is told something is told again as soon as it is up", async () => {
    for (const afterMs of [0, 0, 1, 1, 2, 3]) {
      await proxy.set({ live: "blue" });
      const told = [
        proxy.driver.measureLatencies!(true).then(() =>
          proxy.driver.setTraffic({ ...CLOSED, live: "green" }),
        ),
        proxy.driver.counts(),
        proxy.driver.exclude("blue", ["web-1"]).then(() => proxy.driver.include("blue", ["web-1"])),
      ];
      if (afterMs > 0) await sleep(afterMs);
      await proxy.kill();
      const [, ends] = await Promise.all([proxy.start(), Promise.allSettled(told)]);
      expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
      expect(await proxy.driver.observe()).toEqual({ ...CLOSED, live: "green" });
    }
  });

  test("a HAProxy that base could not renew, which times all answers, is not told of buckets that it does not know", async () => {
    const file = join(proxy.folder, "haproxy.cfg");
    const earlier = readFileSync(file, "utf8")
      .replace(/^ *setenv .*\n/m, "")
      .replace(/^( *use_backend .* -m int \d+) \d+ }$/gm, "$1 }");
    writeFileSync(file, earlier);
    await proxy.stop();
    await proxy.start();
    const driver = new HaproxyDriver(proxy.spec);
    await driver.setTraffic({ ...CLOSED, live: "green" });
    await driver.measureLatencies(true);
    expect(await proxy.ask()).toMatchObject({ status: 200, slot: "green" });
    await driver.setTraffic({ ...CLOSED, live: "blue", fallback: true });
    expect(await proxy.ask()).toMatchObject({ status: 200, slot: "blue" });
  });

  test("a driver says where it looked when there is no proxy", async () => {
    await proxy.stop();
    await expect(proxy.driver.observe()).rejects.toThrow("haproxy can't be reached on admin.sock");
  });
});

describeWith(haproxy)("haproxy's traffic map", () => {
  let proxy: ProxyUnderTest;
  let map: LiveMap;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(haproxy);
    map = new LiveMap(new RuntimeSocket(ADMIN_SOCKET));
  });
  afterAll(() => proxy?.close());
  const measure = async (buckets: number) => {
    map.measured = buckets;
    await map.renew();
  };
  const clients = SLOTS.map((slot) => ({ slot, counts: new ClientsOfSlot() }));
  const total = async (): Promise<number> => {
    const socket = new RuntimeSocket(ADMIN_SOCKET);
    let sum = 0;
    for (const { slot, counts } of clients) {
      const shown = (name: string) => socket.send(`show table ${name}`);
      counts.follow(await shown(CLIENTS[slot]), await shown(CLIENT_LATENCIES[slot]), 0, true);
      for (const count of Object.values(counts.latency)) sum += count;
    }
    return sum;
  };
  /** The driver of this proxy does not know that latencies are measured. */
  const measured = async (buckets: readonly number[]): Promise<number> => {
    const before = await total();
    for (const bucket of buckets) await proxy.ask({ bucket });
    return (await total()) - before;
  };

  test("has the latencies of so many buckets of each side measured, also where traffic is whole", async () => {
    for (const weight of [0, 50]) {
      await proxy.set({ weight, offset: 10 });
      await measure(2);
      expect(await measured([90, 91, 88, 89])).toBe(4);
      expect(await measured([92, 0, 50, 87])).toBe(0);
      await measure(50);
      expect(await measured([92, 0, 50, 87])).toBe(4);
      await measure(0);
      expect(await measured([90, 91, 92, 93])).toBe(0);
    }
  });

  test("has them measured from the moment on in which traffic is set", async () => {
    map.measured = 2;
    await map.replace({ ...CLOSED, live: "blue", weight: 50, fallback: true });
    expect(await measured([0, 1, 98, 99, 50])).toBe(4);
    expect(await map.observe()).toMatchObject({ live: "blue", weight: 50 });
  });

  test("sends everybody where they were sent, and is observed as it was, however many are measured", async () => {
    for (const traffic of [
      { live: "blue", weight: 0 },
      { live: "green", weight: 30 },
      { live: "blue", weight: 100, fallback: true },
    ] as const) {
      await proxy.set({ ...traffic, offset: 42 });
      const [observed, buckets] = [await map.observe(), await proxy.candidateBuckets()];
      for (const some of [1, 7, 50, 50, 0]) {
        await measure(some);
        expect(await map.observe()).toEqual(observed);
        expect(await proxy.candidateBuckets()).toEqual(buckets);
      }
    }
  });

  test("serves a user without a bucket, and gives none while one slot alone may serve", async () => {
    await proxy.set({ weight: 0 });
    await measure(2);
    for (let turn = 0; turn < 20; turn += 1) {
      expect(await proxy.ask()).toMatchObject({ status: 200, slot: "blue", bucket: undefined });
    }
  });

  test("has none measured when another director sets traffic, or after a restart", async () => {
    await proxy.set({ weight: 50 });
    await measure(50);
    await proxy.set({ weight: 50 });
    expect(await measured([0, 99])).toBe(0);
    await measure(50);
    await proxy.stop();
    await proxy.start();
    expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 50 });
    expect(await measured([0, 99])).toBe(0);
  });

  test("changes of the same map wait for each other", async () => {
    map.measured = 50;
    const traffic = { ...CLOSED, live: "green", weight: 20, fallback: true } as const;
    await Promise.all([map.renew(), map.replace(traffic), map.renew(), map.renew()]);
    expect(await map.observe()).toEqual(traffic);
    expect(await measured([0, 99])).toBe(2);
  });
});
