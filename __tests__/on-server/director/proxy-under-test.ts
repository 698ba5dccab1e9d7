/** A real proxy in a folder, real backends behind it, and users who ask them. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
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
import { directorSpec } from "../../../configuration/director-spec";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { parseEnvironment } from "../../../configuration/environment-file";
import { emptyRecord } from "../../../release/record";
import { SLOTS } from "../../../release/slot";
import type { Slot } from "../../../release/slot";
import { until } from "../../../development/testbed/processes";
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
}

/** What a preview's secret is here. */
export const PREVIEW_SECRET = "open sesame";

const HOST = "127.0.0.1";

export function healthyIn({ endpoints }: SlotCounts): number {
  return endpoints.filter(({ healthy }) => healthy).length;
}

/** An instance of a release, that starts and stops as a well-behaved one does. */
export class Backend {
  readonly seen: { readonly method: string; readonly url: string; readonly host: string }[] = [];
  /** What users get from a release that is bad, though its health says otherwise. */
  trouble: { readonly status?: number; readonly delayMs?: number } = {};
  /** Requests for /slow wait until this is called. */
  private release: () => void = () => undefined;
  private server: Server | null = null;
  private readonly upgraded = new Set<Duplex>();

  constructor(
    readonly slot: Slot,
    readonly port: number,
    public releaseId = slot === "blue" ? "1.0.0-1" : "1.1.0-2",
  ) {}

  async start(): Promise<void> {
    const server = createServer((asked, response) => void this.answer(asked, response));
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
    this.release();
    await closed;
  }

  finishSlowRequests(): void {
    this.release();
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
      await new Promise<void>((resolve) => (this.release = resolve));
    }
    if (url === "/session") response.setHeader("set-cookie", ["session=1", "theme=dark"]);
    if (url === "/broken") response.statusCode = 500;
    if (url.startsWith("/after/")) await sleep(Number(url.slice("/after/".length)));
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
  readonly driver: Driver;
  readonly blue: Backend;
  readonly green: Backend;
  process: ChildProcess | null = null;
  private readonly home = process.cwd();

  private constructor(
    private readonly kind: ProxyKind,
    readonly folder: string,
    readonly spec: DirectorSpec,
    backend: (slot: Slot, port: number) => Backend,
  ) {
    this.driver = KINDS[kind.name].driver(spec);
    this.blue = backend("blue", spec.endpoints.blue[0]!.port);
    this.green = backend("green", spec.endpoints.green[0]!.port);
  }

  static async create(
    kind: ProxyKind,
    verification: object = {},
    backend = (slot: Slot, listens: number) => new Backend(slot, listens),
    http: object = {},
  ): Promise<ProxyUnderTest> {
    const folder = mkdtempSync(join(tmpdir(), "proxy-"));
    chmodSync(folder, 0o755);
    const [port, blue, green] = [await freePort(), await freePort(), await freePort()];
    const spec = proxySpec({ driver: kind.name, topology: "sideBySide", servers: 1, verification, http });
    const endpoint = (listens: number) => [{ server: "web-1", host: HOST, port: listens }];
    const proxy = { ...spec.proxy, port };
    const endpoints = { blue: endpoint(blue), green: endpoint(green) };
    const under = new ProxyUnderTest(kind, folder, { ...spec, proxy, endpoints }, backend);
    process.chdir(folder);
    await KINDS[kind.name].configure(under.spec);
    await Promise.all([under.blue.start(), under.green.start()]);
    await under.start();
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
      return SLOTS.every((slot) => healthyIn(counts[slot]) === 1);
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
    await Promise.all([this.blue.stop(), this.green.stop()]);
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

function ask(
  port: number,
  { method = "GET", path = "/", bucket, agent, body, headers: more = {} }: Question,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const cookie = bucket === undefined ? {} : { cookie: `a=b; bluegreen-bucket=${bucket}` };
    const headers = { host: "shop.example", ...cookie, ...more };
    const asked = request({ host: HOST, port, method, path, headers, agent: agent ?? false }, (response) => {
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

/** Users on keep-alive connections, who ask and post one after another; none of them tries anything twice. */
export class Load {
  answered = 0;
  readonly lost: string[] = [];
  private gate: Promise<void> = Promise.resolve();
  private open: () => void = () => undefined;
  private running = 0;
  private stopped = false;
  private readonly users: Promise<void>[];

  constructor(private readonly port: number) {
    this.users = Array.from({ length: 6 }, (_, user) => this.use(user));
  }

  /** Lets what runs end, and nothing new begin. */
  async pause(): Promise<void> {
    this.gate = new Promise((resolve) => (this.open = resolve));
    await until(() => this.running === 0, "no request runs");
  }

  resume(): void {
    this.open();
  }

  /** Waits for so many more answers. */
  async more(answers: number): Promise<void> {
    const enough = this.answered + answers;
    await until(() => this.answered >= enough || this.lost.length > 0, `${answers} more answers came`);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.open();
    await Promise.all(this.users);
  }

  private async use(user: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = 0; !this.stopped; turn += 1) {
      await this.gate;
      const body = `user ${user}, turn ${turn}`;
      this.running += 1;
      try {
        const post = turn % 2 === 1;
        const answer = await ask(this.port, post ? { agent, method: "POST", body } : { agent });
        const right =
          answer.status === 200 && (post ? answer.body === body : answer.body.startsWith("release"));
        if (right) this.answered += 1;
        else this.lost.push(`${answer.status} ${answer.body.slice(0, 60)}`);
      } catch (error) {
        this.lost.push((error as Error).message);
      }
      this.running -= 1;
      // A rate that leaves the machine to others.
      await sleep(2);
    }
    agent.destroy();
  }
}

export function children(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number) : [];
}

/** Ports that a process accepts connections on. */
export function listeningPorts(pid: number): number[] {
  const folder = `/proc/${pid}/fd`;
  const inodes = new Set(
    readdirSync(folder).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, fd)))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].filter((table) => existsSync(table));
  const rows = tables.flatMap((table) => readFileSync(table, "utf8").trim().split("\n").slice(1));
  return rows.flatMap((row) => {
    const cells = row.trim().split(/\s+/);
    const listens = cells[3] === "0A" && inodes.has(cells[9]!);
    return listens ? [Number.parseInt(cells[1]!.split(":").at(-1)!, 16)] : [];
  });
}
