/** Strict-Transport-Security from each kind of proxy. */
import { EmbeddedConfigurator } from "../../../on-server/director/drivers/embedded/embedded-settings";
import { HaproxyConfigurator } from "../../../on-server/director/drivers/haproxy/haproxy-configuration";
import { NginxConfigurator } from "../../../on-server/director/drivers/nginx/nginx-configuration";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { complaintOf } from "./proxy-configuration";
import { describeWith, embedded, haproxy, nginx } from "./proxy-kinds";
import { proxySpec } from "./proxy-under-test";
import { promisesOfStrictTransport } from "./strict-transport-promises";

for (const kind of [haproxy, nginx, embedded])
  describeWith(kind)(kind.name, () => promisesOfStrictTransport(kind));

const SETTING = { strictTransportSecurity: { maxAgeSeconds: 300, includeSubDomains: true, preload: false } };
const TLS = { port: 8443, certificate: "site.pem" };

function specOf(driver: "haproxy" | "nginx" | "embedded", proxy: object, http: object): DirectorSpec {
  const spec = proxySpec({ driver, topology: "sideBySide", servers: 2 });
  return { ...spec, proxy: { ...spec.proxy, ...proxy, http: { ...spec.proxy.http, ...http } } };
}

/** All that is written for the proxy. */
function files(spec: DirectorSpec): string {
  const { driver } = spec.proxy;
  if (driver === "nginx") return new NginxConfigurator(spec).configuration();
  const configurator = driver === "haproxy" ? new HaproxyConfigurator(spec) : new EmbeddedConfigurator(spec);
  return JSON.stringify(configurator.files(), null, 1).replaceAll("\\n", "\n");
}

/** Without NGINX's digest of the rest. */
const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => !/^return 200 '[0-9a-f]{64}'/.test(line));

describe.each(["haproxy", "nginx"] as const)("the configuration of %s", (driver) => {
  test.each<[string, object, object]>([
    ["with TLS", { tls: TLS }, {}],
    ["behind a balancer", {}, { trusted: ["10.0.0.0/8"] }],
  ])("%s has a few lines more, and no other one changes", (_, proxy, http) => {
    const lines = (setting: object) => linesOf(files(specOf(driver, proxy, { ...http, ...setting })));
    const plain = lines({});
    const strict = lines(SETTING);
    let at = 0;
    for (const line of strict) if (line === plain[at]) at += 1;
    expect(plain.slice(at)).toEqual([]);
    expect(strict.filter((line) => !plain.includes(line)).join("\n")).toMatch(/strict/i);
    expect(plain.join("\n")).not.toMatch(/strict/i);
  });

  test("has none where no user has TLS", () => {
    expect(files(specOf(driver, {}, SETTING))).toBe(files(specOf(driver, {}, {})));
  });

  test("is accepted behind balancers with both kinds of addresses", () => {
    const trusted = ["10.0.0.0/8", "2001:db8::/32"];
    expect(complaintOf(specOf(driver, {}, { trusted, ...SETTING }))).toBe("");
  });
});

test("the embedded proxy's settings have it only if it is wanted", () => {
  const trusted = ["10.0.0.0/8"];
  expect(files(specOf("embedded", {}, { trusted }))).not.toMatch(/strict/i);
  expect(files(specOf("embedded", {}, { trusted, ...SETTING }))).toMatch(/strictTransportSecurity/);
});
