/** NGINX before instances and clients that break off, and what it writes on its machine. */
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
} from "node:fs";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { normalPath } from "../../../configuration/private-paths";
import { until } from "../../../development/testbed/processes";
import { betweenByClient } from "../../../on-server/director/analysis";
import type { Sample } from "../../../on-server/director/analysis";
import type { SlotCounts } from "../../../on-server/director/drivers/driver";
import type { PerSlot } from "../../../release/slot";
import { KINDS } from "../../../on-server/director/drivers/kinds";
import { NginxConfigurator } from "../../../on-server/director/drivers/nginx/nginx-configuration";
import { masterPid } from "../../../on-server/director/drivers/nginx/nginx-process";
import { installedNginx } from "../../../on-server/director/drivers/nginx/nginx-program";
import { describeWith, nginx } from "./proxy-kinds";
import { children } from "./process-facts";
import { Load } from "./proxy-load";
import { Backend, proxySpec, ProxyUnderTest } from "./proxy-under-test";
import { RawConnection } from "./raw-connection";

const HOST = "Host: shop.example";
/** NGINX logs answers up to 100 ms late. */
const LOGGED_MS = 300;
const UPLOAD_BYTES = 8 * 1024 * 1024;

/** `/reset` and `/half` break off, `/silent` never answers, `/early` refuses before it reads, `/events` ends with its connection. */
class UnkindBackend extends Backend {
  readonly asked: string[] = [];
  end: () => void = () => undefined;

  protected override async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(asked.url!, "http://any");
    this.asked.push(asked.url!);
    switch (pathname) {
      case "/reset":
        return void asked.socket.resetAndDestroy();
      case "/half":
        response.setHeader("content-length", 1_000).write("half");
        return void setTimeout(() => asked.socket.destroy(), 20);
      case "/silent":
        return;
      case "/early":
        return void response.writeHead(413, { "content-length": 8 }).end("too much");
      case "/twice":
        return void asked.socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok");
      case "/events":
        asked.socket.write(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nfirst\n",
        );
        this.end = () => asked.socket.end("last\n");
        return;
      default:
        return super.answer(asked, response);
    }
  }
}

describeWith(nginx)("nginx", () => {
  let proxy: ProxyUnderTest;
  let port: number;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(nginx, {}, (slot, listens) => new UnkindBackend(slot, listens));
    port = proxy.spec.proxy.port;
  });
  afterAll(() => proxy?.close());

  const timesAsked = (url: string) =>
    [proxy.blue, proxy.green].reduce(
      (sum, each) => sum + (each as UnkindBackend).asked.filter((asked) => asked === url).length,
      0,
    );
  const counted = async () => {
    await sleep(LOGGED_MS);
    return proxy.driver.counts();
  };

  describe("a URL on which instances break off", () => {
    test.each([
      ["at rest", async () => proxy.set({ weight: 0 })],
      ["at 50 per cent", async () => proxy.set({ weight: 50 })],
      [
        "while traffic shifts",
        async (step: number) => proxy.set({ weight: (step * 10) % 101, fallback: true }),
      ],
    ])("costs nobody else a request, %s", async (_, change) => {
      await change(1);
      const load = new Load(port);
      for (let step = 0; step < 20; step += 1) {
        await change(step);
        for (const bucket of [0, 99]) {
          const answer = await proxy.ask({ path: "/reset", bucket });
          expect({ status: answer.status, page: answer.body.includes("updated") }).toEqual({
            status: 502,
            page: false,
          });
        }
        await sleep(50);
      }
      await load.more(50);
      await load.stop();
      expect(load.lost).toEqual([]);
    });

    test.each(["GET", "HEAD", "DELETE", "PUT", "POST"])("gets a %s once", async (method) => {
      for (const [state, traffic] of Object.entries({ rest: { weight: 0 }, half: { weight: 50 } })) {
        await proxy.set(traffic);
        const path = `/reset?${method}-${state}`;
        const body = ["PUT", "POST"].includes(method) ? { body: "a small body" } : {};
        expect((await proxy.ask({ method, path, bucket: 0, ...body })).status).toBe(502);
        expect(timesAsked(path)).toBe(1);
      }
    });
  });

  test("an event reaches its client at once, though the answer ends with the instance's connection", async () => {
    await proxy.set({ weight: 0 });
    const [response] = (await once(
      request({ host: "127.0.0.1", port, path: "/events" }).end(),
      "response",
    )) as [IncomingMessage];
    expect(String((await once(response, "data"))[0])).toBe("first\n");
    (proxy.blue as UnkindBackend).end();
    expect(String((await once(response, "data"))[0])).toBe("last\n");
  });

  test("a WebSocket that nobody can take is answered with the page", async () => {
    await proxy.set({ weight: 0 });
    await proxy.blue.stop();
    const client = await RawConnection.open(port);
    client.ask(
      "GET /socket HTTP/1.1",
      HOST,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
    );
    const { status, headers } = await client.answer();
    expect({ status, again: headers.get("retry-after") }).toEqual({ status: 503, again: "5" });
    client.close();
    await proxy.blue.start();
  });

  test("two equal lengths of an answer never lead to the page", async () => {
    await proxy.set({ weight: 0 });
    // NGINX passes it before 1.23, and calls the answer invalid since.
    const { status, body } = await proxy.ask({ path: "/twice" });
    expect([200, 502]).toContain(status);
    expect(body).not.toContain("updated");
  });

  test("an answer that comes before a large body was read says that its connection ends", async () => {
    await proxy.set({ weight: 0 });
    const client = await RawConnection.open(port);
    client.ask("POST /early HTTP/1.1", HOST, `Content-Length: ${UPLOAD_BYTES}`);
    const { status, headers } = await client.answer();
    expect({ status, connection: headers.get("connection") }).toEqual({ status: 413, connection: "close" });
    client.close();
  });

  test("after an answer that comes before a small body was read the connection serves the next request", async () => {
    await proxy.set({ weight: 0 });
    const client = await RawConnection.open(port);
    for (let turn = 0; turn < 3; turn += 1) {
      client.ask("POST /early HTTP/1.1", HOST, "Content-Length: 50000");
      client.send("x".repeat(25_000));
      // The instance could answer now.
      await sleep(200);
      client.send("x".repeat(25_000));
      expect(await client.answer()).toMatchObject({ status: 413, body: "too much" });
      client.ask("GET / HTTP/1.1", HOST);
      expect((await client.answer()).status).toBe(200);
    }
    client.close();
  });

  test("counts as errors what instances do wrong, and not that clients leave or ask wrongly", async () => {
    await proxy.set({ weight: 50 });
    await proxy.driver.measureLatencies!(true);
    const before = await counted();
    const leaves = async (path: string) => {
      const socket = connect(port, "127.0.0.1").on("error", () => undefined);
      socket.write(`GET ${path} HTTP/1.1\r\n${HOST}\r\nCookie: bluegreen-bucket=0\r\n\r\n`);
      await until(() => timesAsked(path) > 0, "the instance has it");
      socket.destroy();
    };
    for (const path of ["/silent?1", "/silent?2", "/slow"]) await leaves(path);
    proxy.green.finishSlowRequests();
    const wrong = await RawConnection.open(port);
    wrong.ask("GET / HTTP/1.1", "Ho st: a");
    expect((await wrong.answer()).status).toBe(400);
    const afterClients = await counted();
    expect(betweenByClient(before.green, afterClients.green).errors).toBe(0);
    expect(betweenByClient(before.blue, afterClients.blue)).toMatchObject({ requests: 0, errors: 0 });
    await proxy.ask({ path: "/reset", bucket: 0 });
    await expect(proxy.ask({ path: "/half", bucket: 0 })).rejects.toThrow();
    await proxy.ask({ path: "/broken", bucket: 0 });
    await proxy.ask({ path: "/headers", method: "HEAD", bucket: 0 });
    const { green } = increase(afterClients, await counted());
    expect(green).toMatchObject({
      requests: 4,
      errors: 3,
      clients: { "127.0.0.1|0": { requests: 4, errors: 3 } },
    });
  });

  test("counts each client by its address and bucket", async () => {
    await proxy.set({ weight: 50 });
    await proxy.driver.measureLatencies!(true);
    const before = await counted();
    for (const [address, bucket] of [
      ["127.0.0.2", 1],
      ["127.0.0.2", 1],
      ["127.0.0.3", 1],
      ["127.0.0.3", 2],
    ] as const) {
      const asked = request({
        ...{ host: "127.0.0.1", port, localAddress: address, path: "/broken", agent: false },
        headers: { cookie: `bluegreen-bucket=${bucket}` },
      }).end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      await once(response.resume(), "end");
    }
    const clients = increase(before, await counted()).green.clients!;
    expect(Object.entries(clients).map(([client, { errors }]) => [client, errors])).toEqual([
      ["127.0.0.2|1", 2],
      ["127.0.0.3|1", 1],
      ["127.0.0.3|2", 1],
    ]);
  });

  describe("its logs", () => {
    const grows = async () => {
      const before = statSync("answers.log").size;
      for (let turn = 0; turn < 5; turn += 1) await proxy.ask({ bucket: 0 });
      await sleep(LOGGED_MS);
      return statSync("answers.log").size > before;
    };

    test("grow only while a director counts, and not for long after it was killed", async () => {
      await proxy.set({ weight: 50 });
      await proxy.driver.measureLatencies!(true);
      expect(await grows()).toBe(true);
      // What a killed director leaves behind, some minutes later.
      for (const name of readdirSync("watched")) renameSync(`watched/${name}`, `watched/${Number(name) - 3}`);
      expect(await grows()).toBe(false);
      await proxy.driver.counts();
      expect(await grows()).toBe(true);
      await proxy.driver.measureLatencies!(false);
      expect(await grows()).toBe(false);
      await proxy.set({ weight: 0 });
      expect(await grows()).toBe(false);
    });

    test("say nothing about what users and instances do wrong, and are replaced when they are large", async () => {
      await proxy.set({ weight: 0 });
      const before = readFileSync("nginx-error.log", "utf8");
      await proxy.ask({ path: "/reset" });
      expect(readFileSync("nginx-error.log", "utf8")).toBe(before);
      truncateSync("nginx-error.log", 9 * 1024 * 1024);
      await proxy.driver.observe();
      await until(
        () => existsSync("nginx-error.log") && statSync("nginx-error.log").size < 1_000,
        "it is a new file",
      );
    });
  });

  (process.getuid?.() === 0 ? test : test.skip)("workers have no rights of root", () => {
    const workers = children(masterPid());
    expect(workers.length).toBeGreaterThan(0);
    for (const pid of workers) {
      const [, uid] = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
      expect(uid).not.toBe("0");
    }
    expect(readFileSync(`/proc/${workers[0]}/limits`, "utf8")).toMatch(/Max open files +16384/);
    // Workers who could not see the traffic's files would serve nobody.
    chmodSync(proxy.folder, 0o700);
    expect(installedNginx().user).toBe("root");
    chmodSync(proxy.folder, 0o755);
    expect(installedNginx().user).not.toBe("root");
  });

  test("refuses activation paths in every spelling that an instance may resolve", async () => {
    const notified = (path: string) => ({
      ...{ method: "POST" as const, path },
      headers: {},
      status: 200,
      headerPatterns: {},
    });
    const activation = {
      activate: notified("/internal/start-jobs"),
      deactivate: notified("/internal/stop.jobs"),
    };
    await KINDS.nginx.configure({ ...proxy.spec, activation });
    await proxy.set({ weight: 0 });
    const spellings = [
      ...[
        "/internal/stop.jobs",
        "/internal/start-jobs?x=1",
        "/internal/stop.jobs/",
        "//internal///stop.jobs",
      ],
      ...[
        "/Internal/STOP.jobs",
        "/internal/%73top%2Ejobs",
        "/internal%2fstop.jobs",
        "/x/../internal/stop.jobs",
      ],
      ...[
        "/internal;a=b/stop.jobs;c",
        "/x/..;/internal/stop.jobs",
        "/internal\\stop.jobs",
        "/./internal/.;a/stop.jobs",
      ],
      ...[
        "/internal/x\\..\\stop.jobs",
        "/internal/x/%2e%2e/stop.jobs",
        "/x\\y\\..\\..\\internal\\start-jobs",
      ],
      ...[
        "/internal/stopxjobs",
        "/internal/stop.jobs.html",
        "/a/internal/stop.jobs",
        "/internal/stop.jobs/more",
        "/internal",
      ],
    ];
    const privates = Object.values(activation).map(({ path }) => path);
    for (const target of spellings) {
      const client = await RawConnection.open(port);
      client.ask(`POST ${target} HTTP/1.1`, HOST, "Content-Length: 0");
      const status = privates.includes(normalPath(target)) ? 404 : 200;
      expect({ target, ...(await client.answer()) }).toMatchObject({ target, status });
      client.close();
    }
    await KINDS.nginx.configure(proxy.spec);
  });
});

test("directives are those of the installed version", () => {
  const spec = proxySpec({ driver: "nginx", topology: "sideBySide", servers: 1 });
  const tls = { port: 8443, certificate: "tls/site.pem" };
  const of = (version: string) =>
    new NginxConfigurator({ ...spec, proxy: { ...spec.proxy, tls } }, undefined, {
      version,
      user: null,
    }).configuration();
  expect(of("1.18.0")).toMatch(/listen .*:8443 ssl http2;/);
  expect(of("1.18.0")).not.toMatch(/http2 on|keepalive_min_timeout|proxy_pass_trailers/);
  expect(of("1.25.1")).toMatch(/listen .*:8443 ssl;\n +http2 on;/);
  expect(of("1.27.3")).toMatch(/proxy_pass_trailers on;/);
  expect(of("1.27.3")).not.toMatch(/keepalive_min_timeout/);
  for (const version of ["1.27.4", "1.30.6", "2.0.0"])
    expect(of(version)).toMatch(/keepalive_min_timeout 10s;/);
});

function increase(before: PerSlot<SlotCounts>, now: PerSlot<SlotCounts>): PerSlot<Sample> {
  return { blue: betweenByClient(before.blue, now.blue), green: betweenByClient(before.green, now.green) };
}
