/** HAProxy in front of instances that speak HTTP/2 only, as gRPC services do. */
import { once } from "node:events";
import { connect, createServer } from "node:http2";
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../development/testbed/processes";
import { Backend, healthyIn, ProxyUnderTest } from "./proxy-under-test";
import { describeWith, haproxy } from "./proxy-kinds";
import { RawConnection } from "./raw-connection";

const HOST = "127.0.0.1";

/** Refuses what ASP.NET Core refuses: a scheme that is not the connection's. */
class Http2Instance extends Backend {
  readonly asked: IncomingHttpHeaders[] = [];
  private listening: Http2Server | null = null;
  private readonly sessions = new Set<ServerHttp2Session>();

  override async start(): Promise<void> {
    const server = createServer();
    server.on("session", (session) => {
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
async function call(port: number, path: string): Promise<Answer> {
  const session = connect(`http://${HOST}:${port}`);
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
    proxy = await ProxyUnderTest.create(haproxy, { host: "shop.example:8080" }, instance, http);
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

  test("with nobody there, clients get 503, which gRPC takes for UNAVAILABLE; then the slot is served again", async () => {
    await instances.blue.stop();
    const down = async () => healthyIn((await proxy.driver.counts()).blue) === 0;
    await until(down, "the proxy finds blue down");
    expect(await call(port(), "/")).toMatchObject({ status: 503, trailers: {} });
    await instances.blue.start();
    await until(async () => !(await down()), "the proxy finds blue up");
    expect(await call(port(), "/")).toMatchObject({ status: 200, body: "hello" });
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
    const answers = await Promise.all([running, ...held]);
    expect([first, ...answers].map(({ status, body }) => `${status} ${body}`)).toEqual(
      Array(4).fill("200 hello"),
    );
  });
});
