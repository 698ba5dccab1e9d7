/** What every kind of proxy promises to a director and to users; real requests, real backends. */
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type {
  Driver,
  ProxyConfigurator,
  SlotCounts,
  Traffic,
} from "../../../on-server/director/drivers/driver";
import { CLOSED } from "../../../on-server/director/drivers/driver";
import { writeAtomically } from "../../../system/atomic-file";
import { directorSpec } from "../../../release/director-spec";
import type { DirectorSpec } from "../../../release/director-spec";
import { parseEnvironment } from "../../../release/environment";
import { emptyRecord } from "../../../release/record";
import { otherSlot, SLOTS } from "../../../release/slot";
import type { Slot } from "../../../release/slot";

export interface ProxyKind {
  readonly name: "haproxy" | "embedded";
  configurator(spec: DirectorSpec): ProxyConfigurator;
  driver(): Driver;
  /** Starts the proxy in its folder, which holds its files. */
  start(folder: string): ChildProcess;
}

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
}

const HOST = "127.0.0.1";

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await sleep(10);
  }
}

function healthyIn({ endpoints }: SlotCounts): number {
  return endpoints.filter(({ healthy }) => healthy).length;
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** An instance of a release, that starts and stops as a well-behaved one does. */
export class Backend {
  readonly seen: { readonly method: string; readonly url: string; readonly host: string }[] = [];
  /** Requests for /slow wait until this is called. */
  private release: () => void = () => undefined;
  private server: Server | null = null;

  constructor(
    readonly slot: Slot,
    readonly port: number,
    public releaseId = slot === "blue" ? "1.0.0-1" : "1.1.0-2",
  ) {}

  async start(): Promise<void> {
    const server = createServer((asked, response) => void this.answer(asked, response));
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
    this.release();
    await closed;
  }

  finishSlowRequests(): void {
    this.release();
  }

  private async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
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
  ) {
    this.driver = kind.driver();
    this.blue = new Backend("blue", spec.endpoints.blue[0]!.port);
    this.green = new Backend("green", spec.endpoints.green[0]!.port);
  }

  static async create(kind: ProxyKind, verification: object = {}): Promise<ProxyUnderTest> {
    const folder = mkdtempSync(join(tmpdir(), "proxy-"));
    chmodSync(folder, 0o755);
    const [port, blue, green] = [await freePort(), await freePort(), await freePort()];
    const spec = proxySpec({ driver: kind.name, topology: "sideBySide", servers: 1, verification });
    const endpoint = (listens: number) => [{ server: "web-1", host: HOST, port: listens }];
    const proxy = { ...spec.proxy, port };
    const under = new ProxyUnderTest(kind, folder, {
      ...spec,
      proxy,
      endpoints: { blue: endpoint(blue), green: endpoint(green) },
    });
    process.chdir(folder);
    for (const [name, content] of Object.entries(kind.configurator(under.spec).files())) {
      writeAtomically(name, content);
    }
    await Promise.all([under.blue.start(), under.green.start()]);
    await under.start();
    return under;
  }

  async start(): Promise<void> {
    this.process = this.kind.start(this.folder);
    await until("the proxy answers its director and its users", async () => {
      try {
        await this.driver.observe();
        return (await this.ask({ path: "/proxy-healthz" })).status === 200;
      } catch {
        return false;
      }
    });
    const healthy = async () => {
      const counts = await this.driver.counts();
      return SLOTS.every((slot) => healthyIn(counts[slot]) === 1);
    };
    await until("the proxy finds both slots healthy", healthy);
  }

  async stop(): Promise<void> {
    const { process: child } = this;
    if (child === null) return;
    this.process = null;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all([this.blue.stop(), this.green.stop()]);
    process.chdir(this.home);
    rmSync(this.folder, { recursive: true, force: true });
  }

  async set(traffic: Partial<Traffic>): Promise<void> {
    await this.driver.setTraffic({ ...CLOSED, live: "blue", ...traffic });
  }

  /** One request. @throws where it gets no answer. */
  ask(question: Question = {}): Promise<Answer> {
    return ask(this.spec.proxy.port, question);
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
  driver: "haproxy" | "embedded";
  topology: "split" | "sideBySide";
  servers: number;
  verification?: object;
}): DirectorSpec {
  const { driver, topology, servers, verification = {} } = choice;
  const environment = parseEnvironment(
    JSON.stringify({
      formatVersion: 1,
      application: "demo",
      name: "test",
      record: "release.json",
      platform: { kind: "local" },
      topology,
      servers: { count: servers },
      proxies: { driver },
      start: ["node", "server.js"],
      verification,
    }),
    "test.json",
  );
  return directorSpec(environment, emptyRecord("demo"), 0);
}

function ask(port: number, { method = "GET", path = "/", bucket, agent, body }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const cookie = bucket === undefined ? {} : { cookie: `a=b; bluegreen-bucket=${bucket}` };
    const headers = { host: "shop.example", ...cookie };
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
class Load {
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
    await until("no request runs", () => this.running === 0);
  }

  resume(): void {
    this.open();
  }

  /** Waits for so many more answers. */
  async more(answers: number): Promise<void> {
    const enough = this.answered + answers;
    await until(`${answers} more answers came`, () => this.answered >= enough || this.lost.length > 0);
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

/** Ports that a process accepts connections on. */
function listeningPorts(pid: number): number[] {
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

export function promisesOfAProxy(kind: ProxyKind): void {
  let proxy: ProxyUnderTest;
  beforeAll(async () => void (proxy = await ProxyUnderTest.create(kind)));
  afterAll(() => proxy?.close());
  const inShare = (share: number, offset: number) =>
    Array.from({ length: 100 }, (_, bucket) => bucket).filter((bucket) => (bucket + offset) % 100 < share);

  test("before the first deployment users get a 503 page that says when to try again", async () => {
    const { status, headers, body, bucket } = await proxy.ask();
    expect({ status, bucket }).toEqual({ status: 503, bucket: undefined });
    expect(headers).toMatchObject({ "retry-after": "5", "content-type": "text/html; charset=utf-8" });
    expect(body).toContain("Nothing is deployed yet");
    expect(await proxy.driver.observe()).toEqual(CLOSED);
  });

  test("what is set is what is observed", async () => {
    const values: Traffic[] = [
      { live: "blue", share: 0, offset: 0, mode: "serve", fallback: false },
      { live: "green", share: 100, offset: 99, mode: "hold", fallback: true },
      { live: "blue", share: 1, offset: 42, mode: "page", fallback: false },
      CLOSED,
    ];
    for (const traffic of values) {
      await proxy.driver.setTraffic(traffic);
      expect(await proxy.driver.observe()).toEqual(traffic);
    }
  });

  test("at a share of n per cent exactly n of the 100 buckets go to the candidate, and none comes back as it grows", async () => {
    let before: number[] = [];
    for (const share of [0, 1, 5, 25, 50, 99, 100]) {
      await proxy.set({ share, offset: 37 });
      const buckets = await proxy.candidateBuckets();
      expect(buckets).toEqual(inShare(share, 37));
      expect(buckets).toEqual(expect.arrayContaining(before));
      before = buckets;
    }
  });

  test("with green live the rest of the buckets go there", async () => {
    await proxy.set({ live: "green", share: 30, offset: 90 });
    const buckets = await proxy.candidateBuckets();
    expect(buckets).toHaveLength(70);
  });

  test("a client without a bucket gets one while traffic is divided, and both sides stick to it", async () => {
    await proxy.set({ share: 50 });
    const sides = new Set<string>();
    for (let client = 0; client < 40; client += 1) {
      const { slot, bucket } = await proxy.ask();
      expect(bucket).toBeGreaterThanOrEqual(0);
      expect(bucket).toBeLessThan(100);
      for (let turn = 0; turn < 3; turn += 1) {
        expect(await proxy.ask({ bucket: bucket! })).toMatchObject({ slot, bucket: undefined });
      }
      sides.add(slot!);
    }
    expect([...sides].sort()).toEqual(["blue", "green"]);
  });

  test("a bucket that is none is replaced", async () => {
    await proxy.set({ share: 50 });
    for (const bucket of ["100", "-1", "abc", "", "1x"]) {
      expect((await proxy.ask({ bucket })).bucket).toBeDefined();
    }
  });

  test("the bucket comes beside the application's own cookies", async () => {
    await proxy.set({ share: 50 });
    const { headers } = await proxy.ask({ path: "/session" });
    expect(headers["set-cookie"]).toEqual(
      expect.arrayContaining([
        "session=1",
        "theme=dark",
        expect.stringMatching(/^bluegreen-bucket=\d+; Path=\/; .*HttpOnly/),
      ]),
    );
  });

  test.each([0, 100])("no cookie is set at %i per cent, as nothing is divided", async (share) => {
    await proxy.set({ share });
    expect((await proxy.ask()).headers["set-cookie"]).toBeUndefined();
  });

  test("clients that keep no cookies get the candidate as often as the share says", async () => {
    await proxy.set({ share: 30 });
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const answers = await Promise.all(Array.from({ length: 600 }, () => proxy.ask({ agent })));
    agent.destroy();
    const candidate = answers.filter(({ slot }) => slot === "green").length;
    // 180 on average; less than one run in ten million is outside of this by chance.
    expect(candidate).toBeGreaterThan(120);
    expect(candidate).toBeLessThan(240);
  });

  test("a proxy that is restarted comes up with the traffic it had", async () => {
    await proxy.set({ share: 25, offset: 11, fallback: true });
    const before = await proxy.driver.observe();
    await proxy.stop();
    await proxy.start();
    expect(await proxy.driver.observe()).toEqual(before);
    expect(await proxy.candidateBuckets()).toEqual(inShare(25, 11));
  });

  test("hold: while the application is stopped and started again requests wait, and none is lost", async () => {
    await proxy.set({ mode: "serve" });
    const load = new Load(proxy.spec.proxy.port);
    await load.more(30);
    await proxy.set({ mode: "hold" });
    const slow = proxy.ask({ path: "/slow" });
    await until("the slow request runs", () => proxy.blue.seen.some(({ url }) => url === "/slow"));
    await load.pause();
    await proxy.blue.stop();
    load.resume();
    await until("requests wait", async () => (await proxy.driver.counts()).blue.inFlight >= 6);
    await proxy.blue.start();
    await load.more(30);
    await proxy.set({ mode: "serve" });
    await load.more(30);
    await load.stop();
    expect(load.lost).toEqual([]);
    expect((await slow).status).toBe(200);
  });

  test("page: while the application is down users get a 503 page, and the site heals by itself", async () => {
    await proxy.set({ mode: "page" });
    expect((await proxy.ask()).status).toBe(200);
    await proxy.blue.stop();
    const { status, headers, body } = await proxy.ask();
    expect(status).toBe(503);
    expect(headers["retry-after"]).toBe("5");
    expect(body).toContain("The site is being updated");
    await proxy.blue.start();
    expect((await proxy.ask()).status).toBe(200);
  });

  test("with fallback the other slot stands in for one without a healthy endpoint", async () => {
    await proxy.set({ share: 50, fallback: true });
    await proxy.green.stop();
    await until("the proxy notices", async () => healthyIn((await proxy.driver.counts()).green) === 0);
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 200, slot: "blue" });
    await proxy.set({ share: 50, fallback: false });
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 503, slot: undefined });
    await proxy.green.start();
    await until("the proxy notices", async () => healthyIn((await proxy.driver.counts()).green) === 1);
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 200, slot: "green" });
  });

  test("a server out of rotation gets no request, is still checked, and does not count as up", async () => {
    const green = async () => (await proxy.driver.counts()).green.endpoints;
    await proxy.set({ share: 50, fallback: true });
    expect(await green()).toEqual([{ server: "web-1", healthy: true, inRotation: true }]);
    for (const _ of ["once", "twice"]) await proxy.driver.exclude("green", ["web-1"]);
    expect(await green()).toEqual([{ server: "web-1", healthy: true, inRotation: false }]);
    expect(await proxy.ask({ bucket: 0 })).toMatchObject({ status: 200, slot: "blue" });
    await proxy.set({ live: "green", share: 0, fallback: false });
    expect(await proxy.ask()).toMatchObject({ status: 503, slot: undefined });
    await proxy.green.stop();
    await until("the proxy notices", async () => (await green())[0]?.healthy === false);
    expect(await green()).toEqual([{ server: "web-1", healthy: false, inRotation: false }]);
    await proxy.green.start();
    await until("the proxy notices", async () => (await green())[0]?.healthy === true);
    expect((await proxy.ask()).status).toBe(503);
    for (const _ of ["once", "twice"]) await proxy.driver.include("green", ["web-1"]);
    expect(await green()).toEqual([{ server: "web-1", healthy: true, inRotation: true }]);
    expect(await proxy.ask()).toMatchObject({ status: 200, slot: "green" });
  });

  test("a server that leaves the rotation and comes back costs no request", async () => {
    await proxy.set({ share: 50, fallback: true });
    const load = new Load(proxy.spec.proxy.port);
    for (let change = 0; change < 10; change += 1) {
      await proxy.driver.exclude("green", ["web-1"]);
      await load.more(20);
      await proxy.driver.include("green", ["web-1"]);
      await load.more(20);
    }
    await load.stop();
    expect(load.lost).toEqual([]);
  });

  test("a proxy that is restarted keeps servers out of rotation", async () => {
    await proxy.set({ live: "green" });
    await proxy.driver.exclude("green", ["web-1"]);
    await proxy.stop();
    await proxy.start();
    expect((await proxy.driver.counts()).green.endpoints[0]?.inRotation).toBe(false);
    expect((await proxy.ask()).status).toBe(503);
    await proxy.driver.include("green", ["web-1"]);
    await proxy.stop();
    await proxy.start();
    expect((await proxy.ask()).status).toBe(200);
  });

  test("a server that the proxy does not know is refused", async () => {
    await expect(proxy.driver.exclude("green", ["web-9"])).rejects.toThrow(/web-9|No such server/);
  });

  test("counts requests, failed answers and what still runs, for each slot", async () => {
    await proxy.set({ share: 50 });
    const before = await proxy.driver.counts();
    const slow = proxy.ask({ bucket: 0, path: "/slow" });
    await until("it runs", async () => (await proxy.driver.counts()).green.inFlight === 1);
    await proxy.ask({ bucket: 0, path: "/broken" });
    await proxy.ask({ bucket: 99 });
    proxy.green.finishSlowRequests();
    await slow;
    await until("it has ended", async () => (await proxy.driver.counts()).green.inFlight === 0);
    const { blue, green } = await proxy.driver.counts();
    expect(blue.requests - before.blue.requests).toBe(1);
    expect(blue.errors - before.blue.errors).toBe(0);
    expect(green.requests - before.green.requests).toBe(2);
    expect(green.errors - before.green.errors).toBe(1);
  });

  test("thirty changes of the traffic lose no request", async () => {
    await proxy.set({ share: 0 });
    const load = new Load(proxy.spec.proxy.port);
    for (let change = 0; change < 30; change += 1) {
      const live = SLOTS[Math.floor(change / 5) % 2]!;
      await proxy.set({
        live,
        share: (change * 37) % 101,
        offset: (change * 13) % 100,
        fallback: change % 2 === 0,
      });
      await load.more(8);
    }
    await load.stop();
    expect(load.lost).toEqual([]);
    expect(load.answered).toBeGreaterThanOrEqual(240);
  });

  test("only its own user can tell the proxy something, and not over the network", () => {
    expect(statSync("admin.sock").mode & 0o777).toBe(0o600);
    expect(listeningPorts(proxy.process!.pid!)).toEqual([proxy.spec.proxy.port]);
  });

  test("a value that is no traffic is reported, not guessed", async () => {
    const wrong = { ...CLOSED, live: "blue", share: 101 } as Traffic;
    await expect(proxy.driver.setTraffic(wrong)).rejects.toThrow(/traffic entries/);
    await proxy.set({ live: otherSlot("green") });
    expect((await proxy.ask()).slot).toBe("blue");
  });
}
