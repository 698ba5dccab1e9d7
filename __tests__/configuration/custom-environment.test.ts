/** An environment on custom machines: what follows from it, and what is refused. */
import { DirectorSpec, directorSpec } from "../../configuration/director-spec";
import { proxyPlaces, serverPlaces, slotEndpoints } from "../../configuration/naming";
import { customEnvironment } from "../../configuration/custom-environment";
import type { CustomEnvironmentProps } from "../../configuration/custom-environment";
import { complaint, recordOf } from "../release/examples";

const LEAST: CustomEnvironmentProps = {
  application: "socialgoal",
  name: "production",
  servers: [
    { name: "app-01", host: "10.0.1.4", ports: { blue: 8080 } },
    { name: "app-02", host: "10.0.1.5", ports: { green: 8080 } },
  ],
  proxies: [{ name: "lb-01", host: "10.0.2.4", port: 80 }],
};
const BOTH = [{ name: "app-01", host: "10.0.1.4", ports: { blue: 8080, green: 8081 } }];

test("the servers' names, addresses and ports are those that were given", () => {
  const environment = customEnvironment(LEAST);
  expect(environment.topology).toBe("split");
  expect(serverPlaces(environment)).toEqual([
    { name: "app-01", slots: ["blue"] },
    { name: "app-02", slots: ["green"] },
  ]);
  expect(slotEndpoints(environment)).toEqual({
    blue: [{ server: "app-01", host: "10.0.1.4", port: 8080 }],
    green: [{ server: "app-02", host: "10.0.1.5", port: 8080 }],
  });
  expect(proxyPlaces(environment)).toEqual([{ name: "lb-01", host: "10.0.2.4", port: 80, tls: null }]);
});

test("both slots on every server are side by side", () => {
  expect(customEnvironment({ ...LEAST, servers: BOTH }).topology).toBe("sideBySide");
});

test.each([
  ["a known driver", {}],
  ["a driver that is a program", { driver: "command", driverCommand: { program: ["/opt/proxy/driver"] } }],
] as const)("the director understands what it is told: %s", (_, changes) => {
  const spec = directorSpec(customEnvironment({ ...LEAST, ...(changes as object) }), recordOf(), 0);
  expect(DirectorSpec.parse(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
  expect(spec.proxy).toMatchObject({
    driver: "haproxy",
    ...("driver" in changes
      ? { driver: "command", command: { program: ["/opt/proxy/driver"], timeoutSeconds: 10, holds: false } }
      : {}),
  });
});

const REFUSED: readonly (readonly [string, object, RegExp])[] = [
  ["no servers", { servers: [] }, /servers must have at least 1 entries/],
  ["a server twice", { servers: [...BOTH, ...BOTH] }, /servers: "app-01" is listed twice/],
  ["a proxy twice", { proxies: [LEAST.proxies[0], LEAST.proxies[0]] }, /proxies: "lb-01" is listed twice/],
  [
    "one port for two slots",
    { servers: [{ ...BOTH[0], ports: { blue: 8080, green: 8080 } }] },
    /10\.0\.1\.4:8080 is used by two endpoints/,
  ],
  ["a server without a slot", { servers: [{ ...BOTH[0], ports: {} }] }, /"app-01" needs a port for a slot/],
  [
    "servers with one slot and servers with both",
    { servers: [...BOTH, LEAST.servers[1]] },
    /"app-01" has 2, "app-02" has 1 of the slots/,
  ],
  ["one slot only", { servers: [LEAST.servers[0]] }, /none has green/],
  [
    "a host with a port",
    { servers: [{ ...BOTH[0], host: "10.0.1.4/x" }] },
    /servers\.0\.host: .* is not a valid host/,
  ],
  ["a name in capitals", { servers: [{ ...BOTH[0], name: "APP" }] }, /servers\.0\.name/],
  [
    "HTTP/2 to instances with a driver that does not speak it",
    { driver: "nginx", http: { instances: "http2" } },
    /http\.instances is "http2", but driver "nginx" speaks only HTTP\/1\.1 to instances/,
  ],
  [
    "Strict-Transport-Security without TLS",
    { http: { strictTransportSecurity: { maxAgeSeconds: 300 } } },
    /: http\.strictTransportSecurity is sent to users with TLS only, .* in http\.trusted/,
  ],
  [
    "Strict-Transport-Security from a driver that does not write the proxy's configuration",
    {
      driver: "command",
      driverCommand: { program: ["x"] },
      http: { strictTransportSecurity: { maxAgeSeconds: 300 }, trusted: ["10.0.0.1"] },
    },
    /your proxy sends it, driver "command" does not: leave it out/,
  ],
  ["a command without its program", { driver: "command" }, /needs a driverCommand/],
  ["a program without its driver", { driverCommand: { program: ["x"] } }, /is only for driver "command"/],
  [
    "a preview that nobody configures",
    { driver: "command", driverCommand: { program: ["x"] }, preview: { sha256: "a".repeat(64) } },
    /preview needs a driver whose configuration the director writes/,
  ],
  [
    "TLS that nobody configures",
    {
      driver: "embedded",
      proxies: [{ ...LEAST.proxies[0], tls: { port: 443, certificate: "tls/site.pem" } }],
    },
    /"lb-01" has tls, which driver "embedded" does not configure/,
  ],
  [
    "converge with both slots on every server",
    { servers: BOTH, schedule: { strategy: "blueGreen", afterPromotion: "converge" } },
    /"converge" needs one slot per server/,
  ],
  ["a field that nobody knows", { ports: 1 }, /unknown field "ports"/],
];

test.each(REFUSED)("%s: refused with one line that names the problem", (_, changes, words) => {
  const said = complaint(() => customEnvironment({ ...LEAST, ...changes } as CustomEnvironmentProps));
  expect(said).toMatch(/^customEnvironment: /);
  expect(said).toMatch(words);
});
