/** HAProxy keeps clients on their servers. */
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import type { Sessions } from "../../../configuration/sessions";
import { HaproxyDriver } from "../../../on-server/director/drivers/haproxy/haproxy-driver";
import { HaproxyConfigurator } from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { promisesOfAffinity } from "./affinity-promises";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import { complaintOf } from "./proxy-configuration";
import { describeWith, env, haproxy } from "./proxy-kinds";
import { proxySpec, ProxyUnderTest } from "./proxy-under-test";
import { until } from "../../../development/testbed/processes";

const SESSIONS: Sessions = { affinity: "server", withoutCookie: [] };

describeWith(haproxy)("haproxy with affinity", () => {
  promisesOfAffinity(haproxy);

  // What a configuration sets with setenv, HAProxy's master hands on to workers of the next one.
  test("once a reload has turned affinity off, the director still changes the traffic", async () => {
    const start = (folder: string) =>
      spawn("haproxy", ["-W", "-db", "-f", "haproxy.cfg"], { cwd: folder, env, stdio: "ignore" });
    const proxy = await ProxyUnderTest.create({ ...haproxy, start }, {}, undefined, { sessions: SESSIONS });
    try {
      await proxy.set({ sessions: { blue: "1.0.0-1", green: null } });
      const { sessions: _, ...spec } = proxy.spec;
      for (const [name, text] of Object.entries(new HaproxyConfigurator(spec).files()))
        if (name === "haproxy.cfg") writeFileSync(name, text);
      rmSync("traffic.tokens");
      proxy.process!.kill("SIGUSR2");
      const driver = new HaproxyDriver(spec);
      await until(async () => (await proxy.ask()).headers["set-cookie"] === undefined, "reloaded");
      await driver.setTraffic({ ...CLOSED, live: "green" });
      expect(await proxy.ask()).toMatchObject({ status: 200, slot: "green" });
    } finally {
      await proxy.close();
    }
  });
});

test("without the setting the configuration is what it was", () => {
  const spec = proxySpec({ driver: "haproxy", topology: "sideBySide", servers: 2 });
  const lines = (text: string) => text.split("\n").map((line) => line.trim());
  const plain = new HaproxyConfigurator(spec).files();
  const none = new HaproxyConfigurator({ ...spec, sessions: { ...SESSIONS, affinity: "none" } }).files();
  expect(none).toEqual(plain);
  const withAffinity = new HaproxyConfigurator({ ...spec, sessions: SESSIONS }).files();
  // Affinity adds lines. It changes one: where the bucket decides.
  const has = lines(withAffinity["haproxy.cfg"]!);
  const gone = lines(plain["haproxy.cfg"]!).filter((line) => !has.includes(line));
  expect(gone).toEqual([expect.stringContaining("http-request allow if { req.cook(bluegreen-bucket)")]);
});

test.each([1, 20])("HAProxy accepts the configuration for %i servers", (servers) => {
  const spec = proxySpec({ driver: "haproxy", topology: "sideBySide", servers });
  expect(complaintOf({ ...spec, sessions: { ...SESSIONS, withoutCookie: ["/assets/", "/api/"] } })).toBe("");
});
