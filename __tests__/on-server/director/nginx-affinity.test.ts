/** NGINX keeps clients on their servers. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { serverTokens } from "../../../configuration/sessions";
import type { Sessions } from "../../../configuration/sessions";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { KINDS } from "../../../on-server/director/drivers/kinds";
import { NginxConfigurator } from "../../../on-server/director/drivers/nginx/nginx-configuration";
import { until } from "../../../development/testbed/processes";
import { NumberedBackend, promisesOfAffinity } from "./affinity-promises";
import { complaintOf } from "./proxy-configuration";
import { describeWith, nginx } from "./proxy-kinds";
import { proxySpec, ProxyUnderTest } from "./proxy-under-test";
import type { Answer } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";

const SESSIONS: Sessions = { affinity: "server", withoutCookie: [] };
const KEPT = { blue: "1.0.0-1", green: "1.1.0-2" };
const BALANCER = "127.0.0.7";
const OTHER_BALANCER = "10.1.2.3";
/** NGINX's limit for all headers together is 32 KB. */
const NEARLY_TOO_LONG = 30_000;

describeWith(nginx)("nginx with affinity", () => {
  promisesOfAffinity(nginx);

  describe("and three servers", () => {
    let proxy: ProxyUnderTest;
    beforeAll(async () => {
      proxy = await ProxyUnderTest.create(nginx, {}, (slot, port) => new NumberedBackend(slot, port), {
        servers: 3,
        http: { trusted: [`${BALANCER}/32`, "10.1.0.0/16"], bodyMegabytes: 1 },
        sessions: SESSIONS,
      });
    });
    afterAll(() => proxy?.close());
    beforeEach(() => proxy.set({ sessions: KEPT }));

    const tokens = (spec: DirectorSpec = proxy.spec) => serverTokens(spec, KEPT);
    const seen = () => proxy.backends.flatMap((backend) => backend.seen).length;
    const portIn = ({ headers }: Answer) => Number(headers["x-port"]);
    const cookies = ({ headers }: Answer) => headers["set-cookie"] ?? [];
    const withToken = (token: string) => ({ headers: { cookie: `bluegreen-server=${token}` } });

    test("a client's address is the last one that no balancer added, without its port", async () => {
      const ports = new Set<number>();
      for (let client = 1; client <= 20; client += 1) {
        const address = `192.0.2.${client}`;
        const forwarded = [
          ...[address, `203.0.113.9, ${address}`, `unknown, ${address}:40${client}`, ` , ${address} `],
          ...[`${address},${OTHER_BALANCER}`, `${address}:1, ${OTHER_BALANCER}:2, ${BALANCER}`],
        ];
        const answers = await Promise.all(
          forwarded.map((list) => proxy.ask({ from: BALANCER, headers: { "x-forwarded-for": list } })),
        );
        expect({ client, ports: new Set(answers.map(portIn)).size }).toEqual({ client, ports: 1 });
        ports.add(portIn(answers[0]!));
      }
      expect(ports.size).toBe(3);
      // What a client itself adds does not choose its server.
      const pretended = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          proxy.ask({ from: "127.0.0.9", headers: { "x-forwarded-for": `192.0.2.${index}` } }),
        ),
      );
      expect(new Set(pretended.map(portIn)).size).toBe(1);
    });

    test("before a director names releases, a client meets one server, and gets no cookie", async () => {
      await proxy.set({});
      const answers = await Promise.all(Array.from({ length: 9 }, () => proxy.ask()));
      expect(new Set(answers.map(portIn)).size).toBe(1);
      expect(answers.flatMap(cookies)).toEqual([]);
      expect(await proxy.driver.observe()).not.toHaveProperty("sessions");
    });

    test("several cookies of a server count as none", async () => {
      const [first, second] = tokens();
      const both = `bluegreen-server=${second!.token}; a=b; bluegreen-server=${second!.token}`;
      const answer = await proxy.ask({ headers: { cookie: both } });
      expect(cookies(answer)).toEqual([expect.stringMatching(/^bluegreen-server=b/)]);
      const among = `x=bluegreen-server=${second!.token};y="a; b";bluegreen-server=${first!.token};z=1`;
      const known = await proxy.ask({ headers: { cookie: among } });
      expect({ port: portIn(known), cookies: cookies(known) }).toEqual({
        port: proxy.spec.endpoints.blue[0]!.port,
        cookies: [],
      });
    });

    test("headers that are made to be slow are not", async () => {
      const { token } = tokens()[0]!;
      const fill = (piece: string) => piece.repeat(NEARLY_TOO_LONG / piece.length);
      for (const headers of [
        ...["a=b; ", ";", "; ", "bluegreen-server", "bluegreen-server=x;", `bluegreen-server=${token};`].map(
          (piece) => ({ cookie: fill(piece) }),
        ),
        { cookie: `bluegreen-server=${token}${fill("; a=b")}; bluegreen-server=` },
        ...[",", "1", ":", "1 ,", `${BALANCER},`].map((piece) => ({
          "x-forwarded-for": `${fill(piece)} x y`,
        })),
      ]) {
        const began = performance.now();
        expect(await proxy.ask({ from: BALANCER, headers })).toMatchObject({ status: 200 });
        expect(performance.now() - began).toBeLessThan(500);
      }
      expect(readFileSync("nginx-error.log", "utf8")).not.toMatch(/\[(alert|crit)\]/);
    });

    test("an upload goes to its client's server, and to another one if that is gone", async () => {
      const upload = { method: "POST", body: "x".repeat(200_000) };
      for (const { token, slot, number } of tokens()) {
        const answer = await proxy.ask({ ...upload, ...withToken(token) });
        expect(portIn(answer)).toBe(proxy.spec.endpoints[slot][number - 1]!.port);
      }
      const gone = proxy.backends[1]!;
      await gone.stop();
      try {
        for (const traffic of [{ weight: 50 }, { weight: 0 }]) {
          await proxy.set({ sessions: KEPT, ...traffic });
          const answer = await proxy.ask({ ...upload, ...withToken(tokens()[1]!.token) });
          expect(answer).toMatchObject({ status: 200, slot: "blue" });
          expect(cookies(answer)).toContainEqual(expect.stringMatching(/^bluegreen-server=b[13]/));
        }
      } finally {
        await gone.start();
      }
    });

    test("a body that turns out to be too large gets no cookie with its refusal", async () => {
      const before = seen();
      const client = await RawConnection.open(proxy.spec.proxy.port);
      const chunk = `${(100_000).toString(16)}\r\n${"x".repeat(100_000)}\r\n`;
      client.ask("POST / HTTP/1.1", "Host: shop.example", "Transfer-Encoding: chunked");
      client.send(chunk);
      await until(() => seen() > before, "a server has the request");
      client.send(chunk.repeat(12));
      const { status, headers } = await client.answer();
      client.close();
      expect({ status, cookie: headers.get("set-cookie") }).toEqual({ status: 413, cookie: undefined });
    });

    test.each<[string, () => void, object]>([
      ["lost a token", () => rmSync(`live/${tokens()[2]!.token}`), { blue: "unknown", green: KEPT.green }],
      ["lost a link", () => rmSync("live/given-g1"), { blue: KEPT.blue, green: "unknown" }],
      [
        "has a token of another release",
        () => writeFileSync(`live/b1.${"A".repeat(22)}`, ""),
        { blue: "unknown", green: KEPT.green },
      ],
    ])("a traffic folder that %s is seen, and the next value replaces it", async (_, change, sessions) => {
      change();
      expect(await proxy.driver.observe()).toMatchObject({ live: "blue", weight: 0, sessions });
      expect((await proxy.ask()).status).toBe(200);
      await proxy.set({ sessions: KEPT });
      expect(await proxy.driver.observe()).toMatchObject({ sessions: KEPT });
    });

    test("a server that base adds gets tokens at once, and the traffic stays", async () => {
      await proxy.set({ sessions: KEPT, weight: 30 });
      const before = await proxy.driver.observe();
      const { endpoints } = proxy.spec;
      const [, , third] = endpoints.blue;
      const fewer = { ...proxy.spec, endpoints: { ...endpoints, blue: endpoints.blue.slice(0, 2) } };
      await KINDS.nginx.configure(fewer);
      await KINDS.nginx.driver(fewer).setTraffic(before);
      expect(portIn(await proxy.ask(withToken(tokens()[2]!.token)))).not.toBe(third!.port);
      await KINDS.nginx.configure(proxy.spec);
      expect(portIn(await proxy.ask(withToken(tokens()[2]!.token)))).toBe(third!.port);
      expect(await proxy.driver.observe()).toEqual(before);
    });
  });

  const spec = proxySpec({ driver: "nginx", topology: "sideBySide", servers: 2 });

  test.each([1, 2, 200])("NGINX accepts the configuration for %i servers", (servers) => {
    const endpoints = (slot: number) =>
      Array.from({ length: servers }, (_, index) => ({
        ...{ server: `web-${index}`, host: `10.0.${slot}.${index + 1}`, port: 8080 },
      }));
    const { http } = spec.proxy;
    const large = {
      ...spec,
      sessions: { ...SESSIONS, withoutCookie: ["/assets/", "/a.b?x=(1)+*"] },
      endpoints: { blue: endpoints(1), green: endpoints(2) },
      proxy: { ...spec.proxy, http: { ...http, trusted: ["10.0.0.0/8", "2001:db8::/32"] } },
    };
    expect(complaintOf(large)).toBe("");
  });
});

test("without the setting NGINX's configuration is what it was", () => {
  const spec = proxySpec({ driver: "nginx", topology: "sideBySide", servers: 2 });
  const lines = (text: string) => text.split("\n").map((line) => line.trim());
  const configuration = (sessions?: Sessions) =>
    new NginxConfigurator({ ...spec, ...(sessions && { sessions }) }).configuration();
  expect(configuration({ ...SESSIONS, affinity: "none" })).toBe(configuration());
  expect(configuration()).not.toMatch(/bluegreen-server|stays|_at_|root|pcre/);
  const has = lines(configuration(SESSIONS));
  const gone = lines(configuration()).filter((line) => !has.includes(line));
  // Affinity changes where an upload goes, who answers for Cache-Control, and so the digest.
  expect(gone).toEqual([
    expect.stringMatching(/^return 200 '[0-9a-f]{64}';$/),
    "add_header Cache-Control $bucket_privacy always;",
    "proxy_pass http://${way}_$slot;",
  ]);
});
