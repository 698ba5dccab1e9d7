/**
 * What becomes of a request that runs while all traffic goes from blue to green: it ends where it began, and the same one
 * asked again goes to green, whatever part of HTTP it uses.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, request } from "node:http";
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { WebSocket } from "undici";
import type { Slot } from "../../../release/slot";
import { LARGE, LONG_HEADER, ProtocolBackend, Running } from "./protocol-backend";
import { ProxyUnderTest } from "./proxy-under-test";
import { until } from "../../../development/testbed/processes";
import type { ProxyKind } from "./proxy-kinds";
import { RawConnection } from "./raw-connection";

const HOST = "127.0.0.1";
/** Requests that green has answered before what began on blue is let go. */
const WELL_AFTER = 20;

interface Whole {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export function promisesAcrossProtocols(kind: ProxyKind): void {
  const running = new Running();
  let proxy: ProxyUnderTest;
  let port: number;
  let lastId = 0;
  beforeAll(async () => {
    proxy = await ProxyUnderTest.create(
      kind,
      { path: "/page" },
      (slot, listens) => new ProtocolBackend(slot, listens, running),
    );
    port = proxy.spec.proxy.port;
  });
  afterAll(() => proxy?.close());
  beforeEach(() => proxy.set({ live: "blue" }));

  const newId = () => String((lastId += 1));
  const begunOn = (slot: Slot, id: string) =>
    until(() => running.begun(id) === slot, `request ${id} runs on ${slot}`);

  /** As the director does it: all of the traffic, and then green is live. Ends when users have been there for a while. */
  async function switchToGreen(): Promise<void> {
    await proxy.set({ live: "blue", weight: 100, fallback: true });
    await proxy.set({ live: "green" });
    const agent = new Agent({ keepAlive: true });
    for (let count = 0; count < WELL_AFTER; count += 1)
      expect(await proxy.ask({ path: "/page", agent })).toMatchObject({ status: 200, slot: "green" });
    agent.destroy();
  }

  function begin(path: string, options: object = {}): ClientRequest {
    const asked = request({ host: HOST, port, path, agent: false, ...options });
    asked.on("error", () => undefined);
    return asked;
  }

  test.each([
    { what: "a page", path: "/page" },
    { what: "a HEAD", path: "/page", method: "HEAD" },
    { what: "an answer without content (204)", path: "/none" },
    { what: "an answer that nothing has changed (304)", path: "/unchanged" },
    { what: "headers of 6 KB both ways", path: "/headers", headers: { "x-long": LONG_HEADER } },
  ])("$what ends on the slot where it began", async ({ path, ...options }) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = async (id: string, query: string) =>
      whole(begin(`${path}?id=${id}${query}`, { ...options, agent }).end());
    const expected = (slot: Slot) => {
      const body =
        options.method === "HEAD" || ["/none", "/unchanged"].includes(path) ? "" : `page of ${slot}`;
      const status = { "/none": 204, "/unchanged": 304 }[path] ?? 200;
      const long = path === "/headers" ? { "x-long": LONG_HEADER, "x-seen": String(LONG_HEADER.length) } : {};
      const length =
        options.method === "HEAD" ? { "content-length": `${"page of ".length + slot.length}` } : {};
      return { status, body: Buffer.from(body), headers: { "x-slot": slot, ...long, ...length } };
    };
    const id = newId();
    const answer = ask(id, "&wait");
    await begunOn("blue", id);
    await switchToGreen();
    running.finish(id);
    expect(await answer).toMatchObject(expected("blue"));
    // On the same connection: what came before has left nothing on it.
    expect(await ask(newId(), "")).toMatchObject(expected("green"));
    expect(await ask(newId(), "")).toMatchObject(expected("green"));
    agent.destroy();
  });

  test("a WebSocket goes on where it began, and a new one goes to green", async () => {
    const open = async () => {
      const socket = new WebSocket(`ws://${HOST}:${port}/socket`);
      await event(socket, "open");
      const say = async (text: string) => {
        socket.send(text);
        return ((await event(socket, "message")) as Event & { data: unknown }).data;
      };
      return { say, socket };
    };
    const before = await open();
    expect(await before.say("before")).toBe("blue: before");
    await switchToGreen();
    const after = await open();
    expect(await before.say("after")).toBe("blue: after");
    expect(await after.say("after")).toBe("green: after");
    for (const { socket } of [before, after]) {
      socket.close();
      await event(socket, "close");
    }
  });

  test.each([
    { what: "a chunked upload", headers: { "transfer-encoding": "chunked" }, megabytes: 1 },
    { what: "a body of 20 MB", headers: { "content-length": 20 * 1024 * 1024 }, megabytes: 20 },
  ])("$what that is half sent ends where it began, with every byte", async ({ headers, megabytes }) => {
    const body = randomBytes(megabytes * 1024 * 1024);
    const half = body.length / 2;
    const digest = createHash("sha256").update(body).digest("hex");
    const upload = (id: string) => begin(`/upload?id=${id}`, { method: "POST", headers });
    const id = newId();
    const first = upload(id);
    first.write(body.subarray(0, half));
    await begunOn("blue", id);
    // A drain has to know of it: it would be cut off with the instance.
    expect((await proxy.driver.counts()).blue.inFlight).toBeGreaterThanOrEqual(1);
    await switchToGreen();
    first.end(body.subarray(half));
    const uploaded = (slot: Slot) => ({
      status: 200,
      headers: { "x-slot": slot },
      body: Buffer.from(digest),
    });
    expect(await whole(first)).toMatchObject(uploaded("blue"));
    expect(await whole(upload(newId()).end(body))).toMatchObject(uploaded("green"));
  });

  test("a client that waits for 100 Continue gets it, before the switch and after", async () => {
    const body = "sent once it was asked for";
    const digest = createHash("sha256").update(body).digest("hex");
    const upload = async (id: string) => {
      const headers = { expect: "100-continue", "content-length": body.length };
      const asked = begin(`/upload?id=${id}`, { method: "POST", headers });
      asked.flushHeaders();
      await once(asked, "continue");
      return asked;
    };
    const id = newId();
    const first = await upload(id);
    await begunOn("blue", id);
    await switchToGreen();
    const second = await upload(newId());
    const uploaded = (slot: Slot) => ({
      status: 200,
      headers: { "x-slot": slot },
      body: Buffer.from(digest),
    });
    expect(await whole(second.end(body))).toMatchObject(uploaded("green"));
    expect(await whole(first.end(body))).toMatchObject(uploaded("blue"));
  });

  test("a client that reads slowly gets the whole answer", async () => {
    const slow = await RawConnection.open(port);
    slow.ask("GET /large HTTP/1.1", "Host: shop.example");
    const head = await slow.answer(false);
    expect(head.headers.get("x-slot")).toBe("blue");
    await switchToGreen();
    const digest = createHash("sha256");
    const portion = LARGE.length / 16;
    for (let read = 0; read < LARGE.length; read += portion) {
      digest.update(await slow.bytes(portion));
      // Others are served meanwhile.
      expect(await proxy.ask({ path: "/page" })).toMatchObject({ status: 200, slot: "green" });
    }
    slow.close();
    expect(digest.digest("hex")).toBe(createHash("sha256").update(LARGE).digest("hex"));
  });

  test("an event reaches its client while the answer goes on, and the last one comes from where the first came", async () => {
    const listen = async (id: string) => {
      const asked = begin(`/events?id=${id}`).end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      const next = async () => String((await once(response, "data"))[0]);
      return { slot: response.headers["x-slot"], first: await next(), next };
    };
    const id = newId();
    const old = await listen(id);
    expect(old).toMatchObject({ slot: "blue", first: "data: first\n\n" });
    await switchToGreen();
    const other = newId();
    const young = await listen(other);
    expect(young).toMatchObject({ slot: "green", first: "data: first\n\n" });
    running.finish(id);
    expect(await old.next()).toBe("data: last\n\n");
    running.finish(other);
    expect(await young.next()).toBe("data: last\n\n");
  });

  test("a client of HTTP/1.0, which names no host, gets its answer and the end of the connection", async () => {
    const id = newId();
    const old = await RawConnection.open(port);
    old.ask(`GET /page?id=${id}&wait HTTP/1.0`);
    await begunOn("blue", id);
    await switchToGreen();
    running.finish(id);
    expect(await old.answer()).toMatchObject({ status: 200, body: "page of blue" });
    expect(await old.ended()).toBe(true);
    const young = await RawConnection.open(port);
    young.ask("GET /page HTTP/1.0");
    expect(await young.answer()).toMatchObject({ status: 200, body: "page of green" });
    expect(await young.ended()).toBe(true);
  });

  test("a client of HTTP/1.0 that keeps its connection goes on with green on it", async () => {
    const id = newId();
    const client = await RawConnection.open(port);
    client.ask(`GET /page?id=${id}&wait HTTP/1.0`, "Connection: keep-alive");
    await begunOn("blue", id);
    await switchToGreen();
    running.finish(id);
    const first = await client.answer();
    expect(first).toMatchObject({ status: 200, body: "page of blue" });
    expect(first.headers.get("connection")?.toLowerCase()).toBe("keep-alive");
    client.ask("GET /page HTTP/1.0");
    expect(await client.answer()).toMatchObject({ status: 200, body: "page of green" });
    expect(await client.ended()).toBe(true);
  });

  test("requests that are sent without waiting for answers are answered in their order", async () => {
    const id = newId();
    const client = await RawConnection.open(port);
    const lines = (path: string) => `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n\r\n`;
    client.send(lines(`/page?id=${id}&wait`) + lines("/none") + lines("/headers"));
    await begunOn("blue", id);
    await switchToGreen();
    client.send(lines("/page"));
    running.finish(id);
    expect(await client.answer()).toMatchObject({ status: 200, body: "page of blue" });
    expect(await client.answer()).toMatchObject({ status: 204, body: "" });
    const third = await client.answer();
    expect(third.status).toBe(200);
    expect(third.headers.get("x-long")).toBe(LONG_HEADER);
    expect(await client.answer()).toMatchObject({ status: 200, body: "page of green" });
    client.close();
  });

  test("a client that takes no cookies goes both ways while traffic is divided, and to green after it", async () => {
    await proxy.set({ live: "blue", weight: 30, fallback: true });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const slots: (string | undefined)[] = [];
    for (let count = 0; count < 100; count += 1) {
      const { status, slot, bucket } = await proxy.ask({ path: "/page", agent });
      expect(status).toBe(200);
      expect(bucket).toBeGreaterThanOrEqual(0);
      slots.push(slot);
    }
    expect(new Set(slots)).toEqual(new Set(["blue", "green"]));
    await switchToGreen();
    for (let count = 0; count < 20; count += 1) {
      const answer = await proxy.ask({ path: "/page", agent });
      expect(answer).toMatchObject({ status: 200, slot: "green", bucket: undefined });
    }
    agent.destroy();
  });
}

async function whole(asked: ClientRequest): Promise<Whole> {
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) };
}

function event(socket: WebSocket, name: "open" | "message" | "close"): Promise<unknown> {
  return new Promise((resolve, reject) => {
    socket.addEventListener(name, resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error(`the WebSocket failed before "${name}"`)), {
      once: true,
    });
  });
}
