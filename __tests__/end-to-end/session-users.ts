/** Users who log in and click, and an application that keeps their sessions in its memory. */
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import type { DriverName } from "../../configuration/drivers";
import type { Sessions } from "../../configuration/sessions";
import { World } from "./world";

/** One answer in a hundred fails by chance. Some answers are only for their user, others for every cache. */
export const KEEPS_SESSIONS = `
const { createServer } = require("node:http");
const { randomUUID } = require("node:crypto");
const sessions = new Set();
const server = createServer((request, response) => {
  response.setHeader("x-release-id", process.env.BLUEGREEN_RELEASE_ID);
  response.setHeader("x-port", process.env.PORT);
  if (request.url === "/health") return response.end("ok");
  if (request.url === "/assets/site.css") {
    return response.writeHead(200, { "content-type": "text/css", "cache-control": "public, max-age=60" }).end("a {}");
  }
  if (Math.random() < 0.01) return response.writeHead(500).end("by chance");
  if (request.url === "/login") {
    const id = randomUUID();
    sessions.add(id);
    return response.writeHead(303, { location: "/", "set-cookie": "session=" + id }).end();
  }
  if (request.url === "/account") response.setHeader("cache-control", "private");
  const [, id] = /(?:^|; )session=([^;]*)/.exec(request.headers.cookie ?? "") ?? [];
  response.setHeader("content-type", "text/html");
  response.writeHead(sessions.has(id) ? 200 : 401).end("<h1>a page</h1>");
});
server.keepAliveTimeout = 65000;
server.listen(Number(process.env.PORT), process.env.HOST || "127.0.0.1");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`;
const PATHS = ["/", "/account", "/assets/site.css"];

/** A browser of one person: it has an address, and keeps cookies, whichever proxy sets them. */
export class User {
  private readonly cookies = new Map<string, { readonly value: string; readonly until: number }>();
  /** The instances that answered since the login. */
  readonly ports = new Set<string>();
  readonly releases = new Set<string>();
  readonly lost: string[] = [];
  tokens = 0;
  private asked = 0;

  /** @param forgets whether it drops the proxies' cookies, and gets another address for each request */
  constructor(
    private readonly world: World,
    private readonly address: string,
    private readonly forgets = false,
  ) {}

  async login(proxy: number): Promise<void> {
    expect((await this.ask("POST", "/login", proxy)).statusCode).toBe(303);
  }

  /** The next page, through the other proxy. */
  click(): Promise<void> {
    return this.clickThrough((this.asked + 1) % 2);
  }

  async clickThrough(proxy: number): Promise<void> {
    const path = PATHS[(this.asked += 1) % PATHS.length]!;
    const { statusCode, headers } = await this.ask("GET", path, proxy);
    if (path.startsWith("/assets/")) {
      const { "cache-control": cacheControl, "set-cookie": cookies } = headers;
      expect({ cacheControl, cookies }).toEqual({ cacheControl: "public, max-age=60", cookies: undefined });
    }
    if (statusCode !== 200) this.lost.push(`${path} through proxy ${proxy + 1}: ${statusCode}`);
  }

  /** Who meets a failure by chance tries again. */
  private async ask(method: string, path: string, proxy: number): Promise<IncomingMessage> {
    let answer = await this.send(method, path, proxy);
    for (let again = 0; answer.statusCode === 500 && again < 5; again += 1) {
      answer = await this.send(method, path, proxy);
    }
    this.ports.add(String(answer.headers["x-port"]));
    this.releases.add(String(answer.headers["x-release-id"]));
    return answer;
  }

  private async send(method: string, path: string, proxy: number): Promise<IncomingMessage> {
    const cookie = [...this.cookies]
      .flatMap(([name, { value, until }]) => (until < Date.now() ? [] : [`${name}=${value}`]))
      .join("; ");
    const headers = cookie === "" ? {} : { cookie };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const localAddress = this.forgets ? `${this.address}${this.asked % 10}` : this.address;
      const options = { method, headers, agent: false, localAddress };
      request(`${this.world.origin(proxy)}${path}`, options, (response) => {
        response
          .resume()
          .once("end", () => resolve(response))
          .once("error", reject);
      })
        .once("error", reject)
        .end();
    });
    for (const set of answer.headers["set-cookie"] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set)!;
      const [, seconds = "Infinity"] = /; Max-Age=(\d+)/.exec(set) ?? [];
      if (this.forgets && name!.startsWith("bluegreen-")) continue;
      this.cookies.set(name!, { value: value!, until: Date.now() + Number(seconds) * 1_000 });
      if (name === "bluegreen-server") this.tokens += 1;
    }
    return answer;
  }
}

export async function loggedIn(
  world: World,
  count: number,
  network: number,
  proxy: (index: number) => number,
) {
  const users = Array.from({ length: count }, (_, index) => new User(world, `127.0.${network}.${index + 1}`));
  await Promise.all(users.map((user, index) => user.login(proxy(index))));
  return users;
}

export async function clicking(users: readonly User[], times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) await Promise.all(users.map((user) => user.click()));
}

/** How many lost their sessions, and where the first ones did. */
export function lostBy(users: readonly User[]) {
  const losers = users.filter(({ lost }) => lost.length > 0);
  return { losers: losers.length, first: losers.slice(0, 3).map(({ lost }) => lost[0]) };
}

export const NONE = { losers: 0, first: [] };
export const all = <Value>(users: readonly User[], of: (user: User) => Iterable<Value>) =>
  [...new Set(users.flatMap((user) => [...of(user)]))].sort();

/** Two proxies, two servers a slot, and clients that stay on their servers. @param drain where sessions drain */
export function sessionWorld(driver: DriverName, drain?: Sessions["drain"]): Promise<World> {
  return World.create({
    proxies: 2,
    environment: {
      proxies: { driver, count: 2 },
      sessions: { affinity: "server", withoutCookie: ["/assets/"], ...(drain && { drain }) },
      schedule: {
        ...{ strategy: "canary", steps: [20, 100], stepSeconds: 0.5, bakeSeconds: 0.5, drainSeconds: 2 },
        // What its chance failures are compared by is another test's matter.
        analysis: { maxErrorRatio: 0.5, intervalSeconds: 0.2 },
      },
    },
  });
}
