/** HAProxy, driven without ever reloading it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ALL_TIMED, CLOSED } from "../../../on-server/director/drivers/driver";
import { HaproxyConfigurator } from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { HaproxyDriver } from "../../../on-server/director/drivers/haproxy/haproxy-driver";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { promisesUnderLoad } from "./load-promises";
import { promisesAcrossProtocols } from "./protocol-promises";
import { promisesOfAProxy } from "./proxy-promises";
import { describeWith, env, haproxy } from "./proxy-kinds";
import { proxySpec, ProxyUnderTest } from "./proxy-under-test";
import { until } from "../../../development/testbed/processes";

/** What HAProxy says of the files that a spec leads to; "" means that it accepts them. */
function complaints(spec: DirectorSpec): string {
  const folder = mkdtempSync(join(tmpdir(), "haproxy-"));
  for (const [name, content] of Object.entries(new HaproxyConfigurator(spec).files())) {
    writeFileSync(join(folder, name), content);
  }
  const { status, stderr } = spawnSync(haproxy.name, ["-c", "-f", "haproxy.cfg"], { cwd: folder, env });
  rmSync(folder, { recursive: true });
  return status === 0 ? "" : String(stderr);
}

const HOSTILE_PATH = "/a~b!&()*+,;=:@%20/?-_.%5B0%5D&q=%25";

describeWith(haproxy)("haproxy", () => {
  promisesOfAProxy(haproxy);
  describe("across protocols", () => promisesAcrossProtocols(haproxy));
  describe("under load", () => promisesUnderLoad(haproxy));

  test.each([
    ["split", 2],
    ["split", 20],
    ["sideBySide", 1],
    ["sideBySide", 20],
  ] as const)("accepts the configuration of topology %s with %i servers", (topology, servers) => {
    expect(complaints(proxySpec({ driver: "haproxy", topology, servers }))).toBe("");
  });

  test("with TLS, users come to its port, and the other one brings them there", () => {
    const spec = proxySpec({ driver: "haproxy", topology: "sideBySide", servers: 2 });
    const encrypted = { ...spec, proxy: { ...spec.proxy, tls: { port: 8443, certificate: "tls/site.pem" } } };
    const { "haproxy.cfg": configuration } = new HaproxyConfigurator(encrypted).files();
    expect(configuration).toContain(
      "  bind 127.0.0.1:8443 ssl crt tls/site.pem alpn h2,http/1.1 ssl-min-ver TLSv1.2\n",
    );
    expect(configuration).toContain("  http-request set-header X-Forwarded-Proto https\n");
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
    expect(complaints(spec)).toBe("");
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
        proxy.driver.timeAnswers!(afterMs + 1).then(() =>
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
    const driver = new HaproxyDriver();
    await driver.setTraffic({ ...CLOSED, live: "green" });
    await driver.timeAnswers(ALL_TIMED);
    expect(await proxy.ask()).toMatchObject({ status: 200, slot: "green" });
    await driver.setTraffic({ ...CLOSED, live: "blue" }, ALL_TIMED);
    expect(await proxy.ask()).toMatchObject({ status: 200, slot: "blue" });
  });

  test("a driver says where it looked when there is no proxy", async () => {
    await proxy.stop();
    await expect(proxy.driver.observe()).rejects.toThrow("haproxy can't be reached on admin.sock");
  });
});
