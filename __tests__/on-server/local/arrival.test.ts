/** A proxy of several is started again on this machine, and its director is broken: it does not stay unready. */
import { readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { freePort } from "../../../development/testbed/ports";
import { processesIn, until } from "../../../development/testbed/processes";
import { describeWith, embedded, haproxy } from "../director/proxy-kinds";
import { proxySpec } from "../director/proxy-under-test";
import { HOST, LocalProxy } from "./local-proxy";

let proxy: LocalProxy;
beforeEach(async () => void (proxy = await LocalProxy.create()));
afterEach(() => proxy.end());

function health(): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ host: HOST, port: proxy.port, path: "/proxy-healthz", agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", () => resolve(undefined));
  });
}

describe.each([
  [haproxy, /^haproxy /],
  [embedded, /embedded-proxy/],
] as const)("$name", (kind, command) => {
  describeWith(kind)("with a broken director", () => {
    test("serves unverified after a limit", async () => {
      const spec = proxySpec({ driver: kind.name, topology: "sideBySide", servers: 1 });
      const peers = [{ name: "proxy-2", host: HOST, port: await freePort() }];
      const { port } = proxy;
      const beside = { ...spec, proxy: { ...spec.proxy, port, peers } };
      await proxy.start(beside, { ARRIVAL_SECONDS: "4" });
      await until(async () => (await health()) === 200, "it is ready");

      writeFileSync(proxy.file("director.js"), "process.exit(1);\n");
      for (const each of processesIn(proxy.folder))
        if (command.test(each.command)) process.kill(each.pid, "SIGKILL");
      await until(async () => (await health()) === 503, "it is started again, and not ready");
      await until(async () => (await health()) === 200, "it serves", { patienceMs: 10_000 });
      expect(JSON.parse(readFileSync(proxy.file("arrival.json"), "utf8"))).toMatchObject({
        found: "unverified",
        reason: "its director did not run (exit code 1)",
      });
    });
  });
});
