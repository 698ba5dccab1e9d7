/** HAProxy beside servers that fail in unkind ways: real requests, real backends. */
import { freePort } from "../../../development/testbed/ports";
import { until } from "../../../development/testbed/processes";
import { BlackHole } from "./black-hole";
import { describeWith, haproxy } from "./proxy-kinds";
import { ProxyUnderTest } from "./proxy-under-test";

const HOST = "127.0.0.1";

describeWith(haproxy)("haproxy with a server that drops packets", () => {
  test("makes nobody wait over a second, and loses no request", async () => {
    const holes = [await freePort(), await freePort()];
    const hole = (server: string, port: number) => ({ server, host: HOST, port });
    const proxy = await ProxyUnderTest.create(haproxy, {}, undefined, {}, (spec) => ({
      ...spec,
      endpoints: {
        blue: [...spec.endpoints.blue, hole("web-2", holes[0]!)],
        green: [...spec.endpoints.green, hole("web-2", holes[1]!)],
      },
    }));
    const open: BlackHole[] = [];
    try {
      for (const traffic of [{ weight: 0 }, { weight: 50 }]) {
        open.push(...(await Promise.all(holes.map((port) => BlackHole.open(port)))));
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
        expect(Math.max(...waits)).toBeLessThan(1_000);
        // At least one request did wait, so the server was in use.
        expect(Math.max(...waits)).toBeGreaterThan(400);
        for (const each of open.splice(0)) await each.end();
      }
    } finally {
      for (const each of open) await each.end();
      await proxy.close();
    }
  });
});
