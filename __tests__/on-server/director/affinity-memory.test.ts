/**
 * Hundreds of thousands of cookies that name no server cost a proxy no memory: it remembers none of them, serves on, and still
 * knows the valid ones. Minutes: a suite of `npm run test:long`.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { Pool } from "undici";
import { SERVER_COOKIE } from "../../../configuration/cookies";
import { serverTokens } from "../../../configuration/sessions";
import type { KeptReleases } from "../../../configuration/sessions";
import { RuntimeSocket } from "../../../on-server/director/drivers/haproxy/runtime-socket";
import { TOKENS_MAP } from "../../../on-server/director/drivers/haproxy/affinity-rules";
import { TRAFFIC_MAP } from "../../../on-server/director/drivers/haproxy/traffic-map";
import { children } from "./process-facts";
import { describeWith, embedded, haproxy, nginx } from "./proxy-kinds";
import type { ProxyKind } from "./proxy-kinds";
import { Backend, ProxyUnderTest } from "./proxy-under-test";

const KEPT: KeptReleases = { blue: "1.0.0-1", green: "1.1.0-2" };
const [WARM_UP, BATCH] = [20_000, 100_000];
const CONNECTIONS = 100;
/** What browsers store of a cookie. */
const LONGEST = 4_000;
const MEGABYTE = 1_024 * 1_024;
/** What connections, and a collector of garbage, do. Of 100,000 cookies a proxy that kept them would need more than six. */
const NOISE = 2 * MEGABYTE;

/** Answers at once, and remembers nothing itself. */
class QuickBackend extends Backend {
  protected override async answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    if (asked.url === "/health") return super.answer(asked, response);
    response.setHeader("x-port", this.port).end("ok");
  }
}

/** Node's own memory differs by the moment of its garbage collection. So the proxy collects it, and reports what is left. */
const collected: ProxyKind = {
  ...embedded,
  start: (folder) => {
    const hook = join(folder, "collect.cjs");
    writeFileSync(
      hook,
      `process.on("message", () => {
        gc();
        const { heapUsed, external } = process.memoryUsage();
        process.send(heapUsed + external);
      });`,
    );
    const program = join(__dirname, "../../../lib/on-server/embedded-proxy.js");
    const args = ["--expose-gc", "--require", hook, program];
    return spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "ignore", "ignore", "ipc"] });
  },
};

interface Facts {
  readonly bytes: number;
  readonly openFiles: number;
  readonly files: number;
  /** Of HAProxy's tables and maps. */
  readonly entries: number;
}

describe.each([haproxy, nginx, collected])("$name", (kind) => {
  describeWith(kind)("with affinity", () => {
    let proxy: ProxyUnderTest;
    beforeAll(async () => {
      proxy = await ProxyUnderTest.create(kind, {}, (slot, port) => new QuickBackend(slot, port), {
        servers: 2,
        sessions: { affinity: "server", withoutCookie: [] },
      });
    });
    afterAll(() => proxy?.close());

    const set = (weight: number) => proxy.set({ sessions: KEPT, weight });

    async function facts(): Promise<Facts> {
      const { pid } = proxy.process!;
      const processes = [pid!, ...children(pid!)];
      const resident = processes.map((each) => {
        const status = readFileSync(`/proc/${each}/status`, "utf8");
        return 1_024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]);
      });
      return {
        bytes: kind === collected ? await leftByCollector() : sum(resident),
        openFiles: sum(processes.map((each) => readdirSync(`/proc/${each}/fd`).length)),
        files: readdirSync(proxy.folder, { recursive: true }).length,
        entries: kind === haproxy ? await entriesOfHaproxy() : 0,
      };
    }

    async function leftByCollector(): Promise<number> {
      const reported = once(proxy.process!, "message");
      proxy.process!.send("collect");
      return ((await reported) as [number])[0];
    }

    /** Sends so many cookies, half of them while traffic is divided. Each gets the page, and the right cookie. */
    async function send(first: number, cookies: number): Promise<void> {
      const tokens = serverTokens(proxy.spec, KEPT).map(({ token }) => token);
      const given = new Set(tokens.map((token) => `${SERVER_COOKIE}=${token}`));
      const pool = new Pool(`http://127.0.0.1:${proxy.spec.proxy.port}`, { connections: CONNECTIONS });
      const wrong: string[] = [];
      let next = first;
      const client = async (until: number) => {
        while (next < until) {
          const number = next;
          next += 1;
          const headers = ["host", "shop.example", ...cookieOf(number, tokens)];
          const answer = await pool.request({ method: "GET", path: "/", headers });
          await answer.body.dump();
          const [cookie] = [answer.headers["set-cookie"] ?? []]
            .flat()
            .flatMap((each) => (each.startsWith(SERVER_COOKIE) ? [each.split(";")[0]!] : []));
          if (answer.statusCode !== 200 || cookie === undefined || !given.has(cookie))
            wrong.push(`cookie ${number}: ${answer.statusCode} ${String(cookie)}`);
        }
      };
      for (const [weight, until] of [
        [0, first + cookies / 2],
        [30, first + cookies],
      ] as const) {
        await set(weight);
        await Promise.all(Array.from({ length: CONNECTIONS }, () => client(until)));
      }
      await pool.close();
      await set(0);
      expect({ wrong: wrong.slice(0, 5), sent: next - first }).toEqual({ wrong: [], sent: cookies });
    }

    test("100,000 cookies that name no server leave nothing behind", async () => {
      await send(0, WARM_UP);
      await send(WARM_UP, BATCH);
      const before = await facts();
      await send(WARM_UP + BATCH, BATCH);
      const after = await facts();
      // Some connections stay open, for later requests.
      expect({ files: after.files, entries: after.entries }).toEqual({
        files: before.files,
        entries: before.entries,
      });
      expect(after.openFiles - before.openFiles).toBeLessThanOrEqual(CONNECTIONS);
      expect(after.bytes - before.bytes).toBeLessThan(NOISE);
    });

    test("those that name one still find it", async () => {
      for (const { token, slot, server } of serverTokens(proxy.spec, KEPT)) {
        const { port } = proxy.spec.endpoints[slot].find((each) => each.server === server)!;
        const answer = await proxy.ask({ headers: { cookie: `${SERVER_COOKIE}=${token}` } });
        expect({ port: Number(answer.headers["x-port"]), cookies: answer.headers["set-cookie"] }).toEqual({
          port,
          cookies: undefined,
        });
      }
    });
  });
});

/** Lines of a request, which no other request has. */
function cookieOf(number: number, tokens: readonly string[]): string[] {
  const token = tokens[number % tokens.length]!;
  const text = createHash("sha512").update(String(number)).digest("base64url");
  const values: readonly string[] = [
    // Truncated.
    token.slice(0, number % token.length),
    // Of another environment, release, or server.
    `${token.slice(0, 3)}${text.slice(0, 22)}`,
    `g${number % 1_000}.${text.slice(0, 22)}`,
    // Another program's.
    text,
    `"${text}"`,
    `s:${text}.${text}`,
    // Overlong.
    token + text,
    text.repeat(LONGEST / text.length),
  ];
  const own = `visit=${text.slice(0, 30)}`;
  const kind = number % (values.length + 2);
  if (kind < values.length) return ["cookie", `${own}; ${SERVER_COOKIE}=${values[kind]!}`];
  // Repeated.
  const cookie = `${SERVER_COOKIE}=${token}`;
  return kind === values.length
    ? ["cookie", `${own}; ${cookie}; ${cookie}`]
    : ["cookie", `${own}; ${cookie}`, "cookie", cookie];
}

async function entriesOfHaproxy(): Promise<number> {
  const socket = new RuntimeSocket("admin.sock");
  const tables = await socket.send("show table");
  const used = [...tables.matchAll(/used:(\d+)/g)].map(([, count]) => Number(count));
  const maps = await Promise.all([TRAFFIC_MAP, TOKENS_MAP].map((map) => socket.send(`show map ${map}`)));
  return sum([...used, ...maps.map((text) => text.split("\n").length)]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
