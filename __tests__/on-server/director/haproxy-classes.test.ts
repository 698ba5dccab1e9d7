/** What HAProxy alone can't tell at once: requests without any answer, counts that are read while it goes on, old versions. */
import { Agent } from "node:http";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ANSWER_CLASSES } from "../../../on-server/director/drivers/driver";
import type { Classes, SlotCounts } from "../../../on-server/director/drivers/driver";
import { HaproxyDriver } from "../../../on-server/director/drivers/haproxy/haproxy-driver";
import { LATENCIES } from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { DifficultBackend } from "./difficult-backend";
import { describeWith, haproxy } from "./proxy-kinds";
import { ProxyUnderTest } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";

/** The candidate's, while the offset is 0. */
const BUCKET = 0;

function createProxy(servers: number): Promise<ProxyUnderTest> {
  return ProxyUnderTest.create(haproxy, {}, (slot, port) => new DifficultBackend(slot, port), { servers });
}

describeWith(haproxy)("haproxy's classes of answers", () => {
  let proxy: ProxyUnderTest;
  beforeAll(async () => void (proxy = await createProxy(2)));
  beforeEach(async () => {
    await proxy.set({ weight: 50 });
    await proxy.driver.measureLatencies!(true);
  });
  afterAll(() => proxy?.close());
  const green = async () => (await proxy.driver.counts()).green;

  test("a request without any answer is none, of its client, and of the server that broke off", async () => {
    const before = await green();
    const [first] = proxy.backends.filter(({ slot }) => slot === "green");
    first!.trouble = { breaksOff: "/second" };
    for (let turn = 0; turn < 10; turn += 1) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (const path of ["/", "/first", "/second"])
        await proxy.ask({ bucket: BUCKET, agent, path, from: "127.0.0.5" }).catch(() => undefined);
      agent.destroy();
    }
    first!.trouble = {};
    await sleep(100);
    const now = await green();
    const errors = now.errors - before.errors;
    expect(errors).toBeGreaterThanOrEqual(3);
    expect(more(before.classes!, now.classes!)).toEqual({ "2xx": 30 - errors, none: errors });
    const client = now.clients!["127.0.0.5|0"]!;
    expect(client).toMatchObject({ requests: 30, errors, classes: { "2xx": 30 - errors, none: errors } });
    expect(endpoint(now, "web-1").errors! - endpoint(before, "web-1").errors!).toBe(errors);
    expect(endpoint(now, "web-2").errors).toBe(endpoint(before, "web-2").errors);
    const requests = ["web-1", "web-2"].map(
      (server) => endpoint(now, server).requests! - endpoint(before, server).requests!,
    );
    expect(requests[0]! + requests[1]!).toBe(30);
  });

  test("whenever they are read, none has fallen, and 5xx and none are the errors", async () => {
    const paths = [
      "/",
      "/half",
      "/reset",
      "/headers?status=500",
      "/headers?status=404",
      "/headers?status=302",
    ];
    let over = false;
    const load = Array.from({ length: 6 }, async (_, user) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let turn = user; !over; turn += 1) {
        const path = paths[turn % paths.length]!;
        await proxy.ask({ bucket: BUCKET, agent, path, from: `127.0.2.${user + 1}` }).catch(() => undefined);
      }
      agent.destroy();
    });
    let last = await green();
    for (let look = 0; look < 60; look += 1) {
      const now = await green();
      expect(fallen(last.classes!, now.classes!)).toEqual([]);
      expect(now.classes!["5xx"]! + now.classes!.none!).toBe(now.errors);
      for (const [key, { classes, errors }] of Object.entries(now.clients!)) {
        expect(fallen(last.clients![key]?.classes ?? {}, classes!)).toEqual([]);
        expect(classes!["5xx"]! + classes!.none!).toBe(errors);
      }
      for (const { server, requests, errors } of now.endpoints) {
        expect(requests).toBeGreaterThanOrEqual(endpoint(last, server).requests!);
        expect(errors).toBeGreaterThanOrEqual(endpoint(last, server).errors!);
      }
      last = now;
      await sleep(10);
    }
    over = true;
    await Promise.all(load);
    const { classes, requests } = await green();
    expect(ANSWER_CLASSES.reduce((sum, each) => sum + classes![each]!, 0)).toBe(requests);
  });

  test("pages of unusual requests can be asked for", async () => {
    for (const target of [
      "http://shop.example/absolute?a=b",
      "//other.example/a",
      "/a#b",
      "/a\\b",
      "/\xc3\xbc",
      "/a b",
    ]) {
      const client = await RawConnection.open(proxy.spec.proxy.port);
      client.ask(
        `GET ${target} HTTP/1.1`,
        "Host: shop.example",
        "Cookie: bluegreen-bucket=99",
        "Connection: close",
      );
      await client.closed();
    }
    const pages = await proxy.driver.popularPages!();
    expect(pages).toContain("/absolute");
    for (const page of pages)
      expect(new URL(page, "http://shop.example/").href).toBe(`http://shop.example${page}`);
  });
});

describeWith(haproxy)("haproxy with what an older one has", () => {
  let proxy: ProxyUnderTest;
  let original: string;
  beforeAll(async () => {
    proxy = await createProxy(1);
    original = readFileSync(join(proxy.folder, "haproxy.cfg"), "utf8");
  });
  afterAll(() => proxy?.close());

  async function watchedWith(configuration: string): Promise<HaproxyDriver> {
    expect(configuration).not.toBe(original);
    writeFileSync(join(proxy.folder, "haproxy.cfg"), configuration);
    await proxy.stop();
    await proxy.start();
    const driver = new HaproxyDriver(proxy.spec);
    await driver.setTraffic({ live: "blue", weight: 50, offset: 0, mode: "serve", fallback: true });
    await driver.measureLatencies(true);
    await driver.counts();
    const paths = ["/", "/half", "/headers?status=500", "/headers?status=404"];
    for (const path of paths)
      await proxy.ask({ bucket: BUCKET, path, from: "127.0.0.5" }).catch(() => undefined);
    await sleep(100);
    return driver;
  }

  test("version 2.4 counts classes of slots and servers, and failures of clients", async () => {
    const driver = await watchedWith(
      original.replaceAll(/version_atleast\([\d.]+\)/g, "version_atleast(99)"),
    );
    const { green } = await driver.counts();
    expect(green.classes).toEqual({ "2xx": 1, "3xx": 0, "4xx": 1, "5xx": 1, none: 1 });
    const { requests, errors, classes } = green.clients!["127.0.0.5|0"]!;
    expect({ requests, classes }).toEqual({ requests: 4, classes: undefined });
    // Later versions, with this part of the configuration, count some failures twice.
    expect(errors).toBeGreaterThanOrEqual(2);
    expect(endpoint(green, "web-1")).toMatchObject({ requests: 4, errors: 2 });
  });

  test("the configuration of an earlier base counts each latency once, and no pages", async () => {
    const timed = (slot: string) =>
      `  http-response track-sc0 date(0,ms),sub(txn.begun) table ${LATENCIES[slot as "blue"]} if { var(txn.begun) -m found }`;
    const earlier = original
      .replace(/^ *setenv BLUEGREEN_COUNTS_PAGES .*\n/m, "")
      .replaceAll(/^ *http-response track-sc0 var\(txn.page\) table pages-(\w+) .*$/gm, (_, slot: string) =>
        timed(slot),
      )
      .replaceAll(/^backend pages-.*\n.*\n/gm, "");
    const driver = await watchedWith(earlier);
    const { green } = await driver.counts();
    expect(Object.values(green.latency).reduce((sum, count) => sum + count, 0)).toBe(4);
    expect(green.classes).toEqual({ "2xx": 1, "3xx": 0, "4xx": 1, "5xx": 1, none: 1 });
    expect(await driver.popularPages()).toEqual([]);
  });
});

function more(before: Classes, now: Classes): Classes {
  return Object.fromEntries(
    ANSWER_CLASSES.flatMap((each) => {
      const count = now[each]! - before[each]!;
      return count === 0 ? [] : [[each, count]];
    }),
  );
}

function fallen(before: Classes, now: Classes): string[] {
  return ANSWER_CLASSES.filter((each) => (now[each] ?? 0) < (before[each] ?? 0));
}

function endpoint({ endpoints }: SlotCounts, server: string) {
  return endpoints.find((each) => each.server === server)!;
}
