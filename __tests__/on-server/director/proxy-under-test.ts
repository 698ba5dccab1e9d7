/** A real proxy in a folder, real backends behind it, and users who ask them. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Driver, SlotCounts, Traffic } from "../../../on-server/director/drivers/driver";
import { KINDS } from "../../../on-server/director/drivers/kinds";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import type { ProxyKind } from "./proxy-kinds";
import type { DriverName } from "../../../configuration/drivers";
import type { Activation } from "../../../configuration/http-exchange";
import type { Sessions } from "../../../configuration/sessions";
import { directorSpec } from "../../../configuration/director-spec";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { parseEnvironment } from "../../../configuration/environment-file";
import { emptyRecord } from "../../../release/record";
import { SLOTS } from "../../../release/slot";
import type { Slot } from "../../../release/slot";
import { until } from "../../../development/testbed/processes";
import { children } from "./process-facts";
import { freePort } from "../../../development/testbed/ports";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The slot that answered. */
  readonly slot: string | undefined;
  /** The bucket that the answer gave to the client. */
  readonly bucket: number | undefined;
}

interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly bucket?: number | string;
  readonly agent?: Agent;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  /** The client's address, one of 127.0.0.0/8. */
  readonly from?: string;
}

/** What a site is like, beyond one server that has both slots. */
export interface Site {
  /** Servers with both slots. */
  readonly servers?: number;
  readonly http?: object;
  readonly activation?: Activation;
  readonly sessions?: Sessions;
  /** With it the proxy serves TLS, on a second port: a key and its certificate, in PEM. */
  readonly certificate?: string;
  /** Further endpoints of the live slot, which are not backends. */
  readonly elsewhere?: readonly { readonly server: string; readonly host: string; readonly port: number }[];
}

/** What a preview's secret is here. */
export const PREVIEW_SECRET = "open sesame";

const HOST = "127.0.0.1";
const CERTIFICATE = "site.pem";
/** More than any proxy's limit. */
const MOST_HEADER_BYTES = 256 * 1_024;

export function healthyIn({ endpoints }: SlotCounts): number {
  return endpoints.filter(({ healthy }) => healthy).length;
}

/** An instance of a release, that starts and stops as a well-behaved one does. */
export class Backend {
  readonly seen: { readonly method: string; readonly url: string; readonly host: string }[] = [];
  /** What users get from a release that is bad, though its health says otherwise. */
  trouble: { readonly status?: number; readonly delayMs?: number; readonly breaksOff?: string } = {};
  /** Requests for /slow wait until this is called. */
  private releases: (() => void)[] = [];
  private server: Server | null = null;
  private readonly upgraded = new Set<Duplex>();

  constructor(
    readonly slot: Slot,
    readonly port: number,
    public releaseId = slot === "blue" ? "1.0.0-1" : "1.1.0-2",
  ) {}

  async start(): Promise<void> {
    const server = createServer({ maxHeaderSize: MOST_HEADER_BYTES }, (asked, response) => {
      this.answer(asked, response).catch((error: Error) => {
        if (!asked.destroyed) throw error;
      });
    });
    server.on("upgrade", (asked, socket) => this.upgrade(asked, socket));
    server.keepAliveTimeout = 60_000;
    server.listen(this.port, HOST);
    await once(server, "listening");
    this.server = server;
  }

  /** What runs is finished, nothing new is accepted. */
  async stop(): Promise<void> {
    const { server } = this;
    if (server === null) return;
    this.server = null;
    const closed = once(server, "close");
    server.close();
    server.closeIdleConnections();
    for (const socket of this.upgraded) socket.destroy();
    this.finishSlowRequests();
    await closed;
  }

  finishSlowRequests(): void {
    for (const release of this.releases.splice(0)) release();
  }

  /** Whatever comes is sent back, as it is. */
  protected upgrade(asked: IncomingMessage, socket: Duplex): void {
    this.acceptUpgrade(asked, socket);
    socket.pipe(socket);
  }

  protected acceptUpgrade(asked: IncomingMessage, socket: Duplex): void {
    this.upgraded.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.upgraded.delete(socket));
    const accept = createHash("sha1")
      .update(`${asked.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    const head = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"];
    const more = [`Sec-WebSocket-Accept: ${accept}`, `X-Slot: ${this.slot}`];
    socket.write([...head, ...more, "", ""].join("\r\n"));
  }

  protected async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = asked;
    this.seen.push({ method, url, host: headers.host ?? "" });
    let body = "";
    for await (const chunk of asked) body += String(chunk);
    response.setHeader("x-slot", this.slot);
    response.setHeader("x-release-id", this.releaseId);
    if (url === "/slow") {
      // Headers first: then a test knows that the request is running.
      response.flushHeaders();
      await new Promise<void>((resolve) => this.releases.push(resolve));
    }
    if (url === "/session") response.setHeader("set-cookie", ["session=1", "theme=dark"]);
    if (url === "/broken") response.statusCode = 500;
    if (url.startsWith("/after/")) await sleep(Number(url.slice("/after/".length)));
    if (url === this.trouble.breaksOff) return void asked.socket.resetAndDestroy();
    if (url !== "/health") {
      if (this.trouble.delayMs !== undefined) await sleep(this.trouble.delayMs);
      if (this.trouble.status !== undefined) response.statusCode = this.trouble.status;
    }
    if (url === "/headers") {
      response.setHeader("x-seen", JSON.stringify(headers));
      response.setHeader("x-connection", String(asked.socket.remotePort));
    }
    if (this.server === null) response.shouldKeepAlive = false;
    response.end(method === "POST" ? body : `release ${this.releaseId}`);
  }
}

/** A proxy in a folder of its own, with one backend for each slot. The process works in that folder meanwhile. */
export class ProxyUnderTest {
  readonly spec: DirectorSpec;
  readonly driver: Driver;
  readonly blue: Backend;
  readonly green: Backend;
  /** All instances, of every server. */
  readonly backends: readonly Backend[];
  process: ChildProcess | null = null;
  private readonly home = process.cwd();

  private constructor(
    private readonly kind: ProxyKind,
    readonly folder: string,
    { endpoints, ...spec }: DirectorSpec,
    elsewhere: NonNullable<Site["elsewhere"]>,
    backend: (slot: Slot, port: number) => Backend,
  ) {
    this.spec = { ...spec, endpoints: { ...endpoints, blue: [...endpoints.blue, ...elsewhere] } };
    this.driver = KINDS[kind.name].driver(this.spec);
    this.backends = SLOTS.flatMap((slot) => endpoints[slot].map(({ port }) => backend(slot, port)));
    const first = (wanted: Slot) => this.backends.find(({ slot }) => slot === wanted)!;
    this.blue = first("blue");
    this.green = first("green");
  }

  static async create(
    kind: ProxyKind,
    verification: object = {},
    backend = (slot: Slot, listens: number) => new Backend(slot, listens),
    { servers = 1, http = {}, activation, sessions, certificate, elsewhere = [] }: Site = {},
  ): Promise<ProxyUnderTest> {
    const folder = mkdtempSync(join(tmpdir(), "proxy-"));
    chmodSync(folder, 0o755);
    const base = proxySpec({ driver: kind.name, topology: "sideBySide", servers, verification, http });
    const listening = async () => {
      const endpoints = [];
      for (let server = 1; server <= servers; server += 1)
        endpoints.push({ server: `web-${server}`, host: HOST, port: await freePort() });
      return endpoints;
    };
    const tls = async () => ({ port: await freePort(), certificate: CERTIFICATE });
    const spec = {
      ...base,
      activation: activation ?? base.activation,
      ...(sessions !== undefined && { sessions }),
      endpoints: { blue: await listening(), green: await listening() },
      proxy: { ...base.proxy, port: await freePort(), tls: certificate === undefined ? null : await tls() },
    };
    const under = new ProxyUnderTest(kind, folder, spec, elsewhere, backend);
    process.chdir(folder);
    if (certificate !== undefined) writeFileSync(CERTIFICATE, certificate, { mode: 0o600 });
    try {
      await KINDS[kind.name].configure(under.spec);
      await Promise.all(under.backends.map((each) => each.start()));
      await under.start();
    } catch (error) {
      // What listens would keep jest.
      await under.close();
      throw error;
    }
    return under;
  }

  async start(): Promise<void> {
    this.process = this.kind.start(this.folder);
    await until(async () => {
      try {
        await this.driver.observe();
        return (await this.ask({ path: "/proxy-healthz" })).status === 200;
      } catch {
        return false;
      }
    }, "the proxy answers its director and its users");
    const healthy = async () => {
      const counts = await this.driver.counts();
      return SLOTS.every(
        (wanted) => healthyIn(counts[wanted]) === this.backends.filter(({ slot }) => slot === wanted).length,
      );
    };
    await until(healthy, "the proxy finds both slots healthy");
  }

  async stop(): Promise<void> {
    const { process: child } = this;
    if (child === null) return;
    this.process = null;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }

  /** Nobody gets a chance to tidy up. */
  async kill(): Promise<void> {
    const { process: child } = this;
    if (child === null) return;
    this.process = null;
    const exited = once(child, "exit");
    for (const pid of [child.pid!, ...children(child.pid!)]) process.kill(pid, "SIGKILL");
    await exited;
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all(this.backends.map((each) => each.stop()));
    process.chdir(this.home);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** As the director does it: while traffic is divided, either slot may stand in. */
  async set(traffic: Partial<Traffic>): Promise<void> {
    const { weight = 0 } = traffic;
    const fallback = weight > 0 && weight < 100;
    await this.driver.setTraffic({ ...CLOSED, live: "blue", fallback, ...traffic });
  }

  /** One request. @throws where it gets no answer. */
  ask(question: Question = {}): Promise<Answer> {
    return ask(this.spec.proxy.port, question);
  }

  /** A WebSocket to a slot, as far as its handshake; frames are the caller's. */
  async webSocket(slot: Slot): Promise<Duplex> {
    const { live, weight } = await this.driver.observe();
    const own = live === slot ? 99 : 0;
    const bucket = weight > 0 && weight < 100 ? { cookie: `bluegreen-bucket=${own}` } : {};
    const asked = request({
      ...{ host: HOST, port: this.spec.proxy.port, path: "/socket" },
      headers: {
        ...{ connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
        ...{ "sec-websocket-key": Buffer.from("0123456789abcdef").toString("base64"), ...bucket },
      },
    });
    asked.end();
    const [answer, socket] = (await once(asked, "upgrade")) as [IncomingMessage, Duplex];
    if (answer.headers["x-slot"] !== slot) throw new Error(`connected to ${answer.headers["x-slot"]}`);
    socket.on("error", () => socket.destroy());
    return socket;
  }

  /** Which of the 100 buckets the candidate, green, gets. */
  async candidateBuckets(): Promise<number[]> {
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const slots = await Promise.all(
      Array.from({ length: 100 }, async (_, bucket) => (await this.ask({ bucket, agent })).slot),
    );
    agent.destroy();
    return slots.flatMap((slot, bucket) => (slot === "green" ? [bucket] : []));
  }
}

export function proxySpec(choice: {
  driver: DriverName;
  topology: "split" | "sideBySide";
  servers: number;
  verification?: object;
  http?: object;
}): DirectorSpec {
  const { driver, topology, servers, verification = {}, http = {} } = choice;
  const digest = (algorithm: string) => createHash(algorithm).update(PREVIEW_SECRET).digest("hex");
  const environment = parseEnvironment(
    JSON.stringify({
      formatVersion: 1,
      application: "demo",
      name: "test",
      record: "release.json",
      platform: { kind: "local" },
      topology,
      servers: { count: servers },
      proxies: { driver, http },
      start: ["node", "server.js"],
      verification,
      preview: { sha256: digest("sha256"), md5: digest("md5") },
    }),
    "test.json",
  );
  return directorSpec(environment, emptyRecord("demo"), 0);
}

export function ask(
  port: number,
  { method = "GET", path = "/", bucket, agent, body, headers: more = {}, from }: Question,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const cookie = bucket === undefined ? {} : { cookie: `a=b; bluegreen-bucket=${bucket}` };
    const headers = { host: "shop.example", ...cookie, ...more };
    const maxHeaderSize = MOST_HEADER_BYTES;
    const place = { host: HOST, port, maxHeaderSize, ...(from === undefined ? {} : { localAddress: from }) };
    const asked = request({ ...place, method, path, headers, agent: agent ?? false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("aborted", () => reject(new Error("the answer was cut off")));
      response.on("end", () => {
        const cookies = response.headers["set-cookie"] ?? [];
        const given = cookies.map((each) => /^bluegreen-bucket=(\d+);/.exec(each)?.[1]).find(Boolean);
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: text,
          slot: response.headers["x-slot"] as string | undefined,
          bucket: given === undefined ? undefined : Number(given),
        });
      });
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
