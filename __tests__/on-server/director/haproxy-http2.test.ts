/** HAProxy in front of instances that speak HTTP/2 only, as gRPC services do. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:http2";
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { betweenByClient } from "../../../on-server/director/analysis";
import { ANSWER_CLASSES, CLOSED } from "../../../on-server/director/drivers/driver";
import type { Classes } from "../../../on-server/director/drivers/driver";
import { configure } from "../../../on-server/director/configure";
import { KINDS } from "../../../on-server/director/drivers/kinds";
import { NEVER_LIVE } from "../../../on-server/director/state";
import { freePort } from "../../../development/testbed/ports";
import { until } from "../../../development/testbed/processes";
import { Backend, healthyIn, ProxyUnderTest } from "./proxy-under-test";
import { describeWith, haproxy, haproxyVersion } from "./proxy-kinds";
import { RawConnection } from "./raw-connection";

const HOST = "127.0.0.1";
/**
 * Late releases answer 502 where an instance of HTTP/2 refuses the connection, and try neither again nor another server
 * (docs/traffic.md): 3.2.26 and 3.4.7 do, 3.0.11 does not.
 */
const TAKES_REFUSALS_FOR_ANSWERS = haproxyVersion() >= 3.2;

/** Refuses what ASP.NET Core refuses: a scheme that is not the connection's. */
class Http2Instance extends Backend {
  readonly asked: IncomingHttpHeaders[] = [];
  private listening: Http2Server | null = null;
  connections = 0;
  private readonly sessions = new Set<ServerHttp2Session>();

  override async start(): Promise<void> {
    const server = createServer({ settings: { enableConnectProtocol: true } });
    server.on("session", (session) => {
      this.connections += 1;
      this.sessions.add(session);
      session.on("close", () => this.sessions.delete(session));
      session.on("error", () => undefined);
    });
    server.on("stream", (stream, headers) => void this.reply(stream, headers));
    server.listen(this.port, HOST);
    await once(server, "listening");
    this.listening = server;
  }

  override async stop(): Promise<void> {
    const { listening } = this;
    if (listening === null) return;
    this.listening = null;
    const closed = once(listening, "close");
    listening.close();
    for (const session of this.sessions) session.close();
    await closed;
  }

  private async reply(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    stream.on("error", () => undefined);
    const path = headers[":path"]!;
    if (path !== "/health") this.asked.push(headers);
    if (headers[":scheme"] !== "http") return stream.close(1);
    const common = { ":status": 200, "x-slot": this.slot, "x-release-id": this.releaseId };
    if (headers[":method"] === "CONNECT") {
      stream.respond(common);
      return void stream.pipe(stream);
    }
    const [, status] = /^\/call\/(\d+)$/.exec(path) ?? [];
    if (status !== undefined)
      return void stream.respond({ ...common, "grpc-status": status }, { endStream: true });
    stream.respond(common, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    if (path === "/slow") await sleep(500);
    stream.end("hello");
  }
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request as gRPC clients send it, with prior knowledge of HTTP/2. */
async function call(port: number, path: string, scheme = "http"): Promise<Answer> {
  const session = connect(`${scheme}://${HOST}:${port}`, { rejectUnauthorized: false });
  try {
    const stream = session.request({ ":method": "POST", ":path": path, ":authority": "shop.example" });
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    let body = "";
    stream.on("response", (received) => (headers = received));
    stream.on("trailers", (received) => (trailers = received));
    stream.setEncoding("utf8").on("data", (text: string) => (body += text));
    stream.end("question");
    await once(stream, "close");
    return { status: Number(headers[":status"]), headers, trailers, body };
  } finally {
    session.destroy();
  }
}

describeWith(haproxy)("haproxy, with instances that speak HTTP/2", () => {
  let proxy: ProxyUnderTest;
  let instances: { blue: Http2Instance; green: Http2Instance };
  const port = () => proxy.spec.proxy.port;

  beforeAll(async () => {
    const created: Http2Instance[] = [];
    const instance = (...of: ConstructorParameters<typeof Http2Instance>) => {
      created.push(new Http2Instance(...of));
      return created.at(-1)!;
    };
    const http = { instances: "http2" };
    proxy = await ProxyUnderTest.create(haproxy, { host: "shop.example:8080" }, instance, { http });
    const [blue, green] = created;
    instances = { blue: blue!, green: green! };
  });
  beforeEach(async () => {
    for (const { asked } of Object.values(instances)) asked.length = 0;
    await proxy.set({ live: "blue", weight: 0 });
  });
  afterAll(() => proxy.close());

  test("trailers reach the client", async () => {
    expect(await call(port(), "/")).toMatchObject({
      status: 200,
      body: "hello",
      trailers: { "grpc-status": "0" },
      headers: { "x-slot": "blue" },
    });
  });

  test("a request over HTTP/1.1 or HTTP/2 has the scheme and the host that instances expect", async () => {
    await call(port(), "/two?a=b");
    expect(await proxy.ask({ path: "/one?a=b" })).toMatchObject({ status: 200, body: "hello", slot: "blue" });
    expect(instances.blue.asked).toEqual(
      ["/two?a=b", "/one?a=b"].map((path) =>
        expect.objectContaining({ ":scheme": "http", ":authority": "shop.example", ":path": path }),
      ),
    );
  });

  test.each(["a/path?", "user@host", "host#", "", "[::1]/"])(
    "a Host that is no host is refused: %p",
    async (host) => {
      const client = await RawConnection.open(port());
      client.ask("GET /page HTTP/1.1", `Host: ${host}`);
      expect(await client.answer()).toMatchObject({ status: 400 });
      expect(instances.blue.asked).toEqual([]);
      client.close();
    },
  );

  test("a WebSocket reaches an instance that takes it over HTTP/2", async () => {
    const socket = await proxy.webSocket("blue");
    socket.write("hello");
    expect(String((await once(socket, "data"))[0])).toBe("hello");
    socket.destroy();
    expect(instances.blue.asked).toMatchObject([{ ":protocol": "websocket", ":path": "/socket" }]);
  });

  test("failing calls are errors; calls that the caller made wrong are none", async () => {
    const errors = async () => {
      const { blue, green } = await proxy.driver.counts();
      return { blue: blue.errors, green: green.errors };
    };
    const before = await errors();
    for (let status = 0; status <= 16; status += 1) await call(port(), `/call/${status}`);
    expect(await errors()).toEqual({ blue: before.blue + 6, green: before.green });
    await proxy.set({ live: "blue", weight: 100 });
    await call(port(), "/call/14");
    expect(await errors()).toEqual({ blue: before.blue + 6, green: before.green + 1 });
  });

  test("failing calls are their client's while a release is watched", async () => {
    const traffic = { live: "blue", weight: 50 } as const;
    await proxy.set(traffic);
    await proxy.driver.measureLatencies!(true);
    const before = await proxy.driver.counts();
    for (let status = 0; status <= 16; status += 1) await proxy.ask({ path: `/call/${status}`, bucket: 99 });
    const now = await proxy.driver.counts();
    await proxy.driver.measureLatencies!(false);
    const { requests, errors, clients } = betweenByClient(before.blue, now.blue);
    expect({ requests, errors }).toEqual({ requests: 17, errors: 6 });
    expect(clients).toMatchObject({ "127.0.0.1|99": { requests: 17, errors: 6 } });
    const classesOf = ({ classes = {} }: { classes?: Classes | undefined }) =>
      ANSWER_CLASSES.map((each) => classes[each]);
    expect(classesOf(now.blue.clients!["127.0.0.1|99"]!)).toEqual([11, 0, 0, 6, 0]);
    const [some, more] = [classesOf(before.blue), classesOf(now.blue)];
    expect(more.map((count, index) => count! - some[index]!)).toEqual([11, 0, 0, 6, 0]);
  });

  describe("a change of the protocol in base", () => {
    const configured = (protocol: "http1" | "http2") => {
      const { proxy: place } = proxy.spec;
      const http = { ...place.http, instances: protocol };
      const intended = { ...CLOSED, live: "blue" as const };
      const state = { ...NEVER_LIVE, traffic: { intended, before: CLOSED } };
      const spec = { ...proxy.spec, proxy: { ...place, http } };
      return configure(spec, { load: () => state, save: () => undefined });
    };
    const written = () => readFileSync(join(proxy.folder, "haproxy.cfg"), "utf8");

    test("is refused while the live instances speak only the old one", async () => {
      const before = written();
      await expect(configured("http1")).rejects.toThrow(
        `http.instances is "http1", but the live instance on web-1, port ${instances.blue.port}, speaks only HTTP/2: nothing was changed`,
      );
      expect(written()).toBe(before);
    });

    test("is accepted when they speak the new one, or none", async () => {
      await configured("http2");
      await instances.blue.stop();
      await configured("http1");
      expect(written()).not.toContain("proto h2");
      await instances.blue.start();
      await KINDS.haproxy.configure(proxy.spec);
    });
  });

  test("with nobody there, clients get 503, which gRPC takes for UNAVAILABLE; then the slot is served again", async () => {
    await instances.blue.stop();
    const down = async () => healthyIn((await proxy.driver.counts()).blue) === 0;
    await until(down, "the proxy finds blue down");
    expect(await call(port(), "/")).toMatchObject({ status: 503, trailers: {} });
    await instances.blue.start();
    await until(async () => !(await down()), "the proxy finds blue up");
    expect(await call(port(), "/")).toMatchObject({ status: 200, body: "hello" });
  });

  test.each(["hold", "page"] as const)("a recreate with %s uses each connection once", async (mode) => {
    await proxy.set({ live: "blue", weight: 0, mode });
    const before = instances.blue.connections;
    const session = connect(`http://${HOST}:${port()}`);
    for (let count = 0; count < 20; count += 1) {
      const stream = session.request({ ":path": "/", ":authority": "shop.example" });
      stream.resume();
      await once(stream, "close");
    }
    session.destroy();
    expect(instances.blue.asked).toHaveLength(20);
    expect(instances.blue.connections - before).toBeGreaterThanOrEqual(20);
  });

  test("a recreate holds calls until an instance listens, and finishes those that run", async () => {
    const first = await call(port(), "/");
    const running = call(port(), "/slow");
    await until(() => instances.blue.asked.length === 2, "a call runs");
    await proxy.set({ live: "blue", weight: 0, mode: "hold" });
    await instances.blue.stop();
    const held = [call(port(), "/held"), call(port(), "/held")];
    await sleep(300);
    await instances.blue.start();
    const answered = (answers: Answer[]) => answers.map(({ status, body }) => `${status} ${body}`);
    expect(answered([first, await running])).toEqual(Array(2).fill("200 hello"));
    const statuses = (await Promise.all(held)).map(({ status }) => status);
    expect(statuses).toEqual(Array(2).fill(TAKES_REFUSALS_FOR_ANSWERS ? 502 : 200));
  });

  test("a call over TLS has the same scheme for its instance", async () => {
    const tls = { port: await freePort(), certificate: "site.pem" };
    const files = ["-keyout", "site.pem", "-out", "site.pem"];
    const made = spawnSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop.example", ...files],
      { cwd: proxy.folder, encoding: "utf8" },
    );
    expect(made).toMatchObject({ status: 0 });
    await KINDS.haproxy.configure({ ...proxy.spec, proxy: { ...proxy.spec.proxy, tls } });
    await proxy.stop();
    await proxy.start();
    expect(await call(tls.port, "/", "https")).toMatchObject({
      status: 200,
      trailers: { "grpc-status": "0" },
    });
    expect(instances.blue.asked).toMatchObject([{ ":scheme": "http", "x-forwarded-proto": "https" }]);
  });
});
