/** HAProxy beside servers that fail in unkind ways: real requests, real backends. */
import { writeFileSync } from "node:fs";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import { ADMIN_SOCKET } from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { HaproxyDriver } from "../../../on-server/director/drivers/haproxy/haproxy-driver";
import { RuntimeSocket } from "../../../on-server/director/drivers/haproxy/runtime-socket";
import { KINDS } from "../../../on-server/director/drivers/kinds";
import { freePort } from "../../../development/testbed/ports";
import { until } from "../../../development/testbed/processes";
import { CutOffServer } from "./cut-off-server";
import { describeWith, haproxy } from "./proxy-kinds";
import { Backend, ProxyUnderTest } from "./proxy-under-test";

const HOST = "127.0.0.1";

describeWith(haproxy)("haproxy whose slots get other ports while a server is out of rotation", () => {
  test.each(["as now", "as earlier versions wrote it"])(
    "sends users to the new ports, with its file %s",
    async (how) => {
      const proxy = await ProxyUnderTest.create(haproxy);
      const moved = new Backend("green", await freePort(), "1.2.0-3");
      try {
        await proxy.set({ live: "green" });
        await proxy.driver.exclude("green", ["web-1"]);
        if (how !== "as now") {
          const shown = await new RuntimeSocket(ADMIN_SOCKET).send("show servers state");
          const excluded = shown
            .split("\n")
            .filter((row) => row.startsWith("#") || / 2 (8|16|24|48) /.test(row));
          writeFileSync("traffic.servers", ["1", ...excluded, ""].join("\n"));
          expect(excluded.length).toBeGreaterThan(5);
        }
        await proxy.stop();
        // What listens on the old port now is another program; it is healthy, too.
        await moved.start();
        const endpoints = {
          ...proxy.spec.endpoints,
          green: [{ server: "web-1", host: HOST, port: moved.port }],
        };
        const spec = { ...proxy.spec, endpoints };
        await KINDS.haproxy.configure(spec);
        const driver = new HaproxyDriver(spec);
        const green = async () => (await driver.counts()).green.endpoints[0];
        proxy.process = haproxy.start(proxy.folder);
        await until(
          async () => (await green().catch(() => undefined))?.healthy === true,
          "the server is healthy",
        );
        expect(await green()).toMatchObject({ inRotation: false });
        await driver.include("green", ["web-1"]);
        const releases = new Set<unknown>();
        for (const traffic of [
          { live: "green", weight: 0, fallback: false },
          { live: "green", weight: 0, fallback: true },
          { live: "blue", weight: 99, fallback: true },
          { live: "green", weight: 0, fallback: false, mode: "hold" },
          { live: "green", weight: 0, fallback: false, mode: "page" },
        ] as const) {
          await driver.setTraffic({ ...CLOSED, ...traffic });
          releases.add((await proxy.ask({ bucket: 0 })).headers["x-release-id"]);
        }
        expect([...releases]).toEqual(["1.2.0-3"]);
        // A director that looks elsewhere is not told that the server is healthy.
        expect((await proxy.driver.counts()).green.endpoints).toMatchObject([{ healthy: false }]);
      } finally {
        await moved.stop();
        await proxy.close();
      }
    },
  );
});

describeWith(haproxy)("haproxy with a server that drops packets", () => {
  test("makes nobody wait over a second, and loses no request", async () => {
    const port = await freePort();
    const elsewhere = [{ server: "web-2", host: HOST, port }];
    const proxy = await ProxyUnderTest.create(haproxy, {}, undefined, { elsewhere });
    const open: CutOffServer[] = [];
    const longest: number[] = [];
    try {
      for (const traffic of [{ weight: 0 }, { weight: 50 }]) {
        open.push(await CutOffServer.open(port));
        await proxy.set(traffic);
        await until(async () => {
          const counts = Object.values(await proxy.driver.counts());
          return counts.every(({ endpoints }) => endpoints.every(({ healthy }) => healthy));
        }, "all servers are healthy");
        for (const each of open) await each.close();
        const waits = await Promise.all(
          Array.from({ length: 60 }, async (_, bucket) => {
            const begun = performance.now();
            const method = bucket % 2 === 0 ? "GET" : "POST";
            expect((await proxy.ask({ bucket, method })).status).toBe(200);
            return performance.now() - begun;
          }),
        );
        longest.push(Math.max(...waits));
        for (const each of open.splice(0)) await each.end();
      }
      expect(Math.max(...longest)).toBeLessThan(1_000);
      // At least one request did wait, so the server was in use.
      expect(Math.max(...longest)).toBeGreaterThan(400);
    } finally {
      for (const each of open) await each.end();
      await proxy.close();
    }
  });
});
