/**
 * A day at rest, compressed: the requests of a day, and a night's restarts of the proxy, in real programs. Every file that
 * any of our programs writes stays within its bound.
 */
import { lstatSync, readdirSync } from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { describeEndToEnd, until, World } from "./world";

/** An instance answers the probes of one proxy every two seconds. */
const REQUESTS = 43_200;
const AT_ONCE = 32;
/** What a log may have: its limit, and what comes in the second until the guard looks. */
const LOG_BYTES = 12 * 1024 * 1024;
/** Everything else that a program writes again and again. */
const FILE_BYTES = 1024 * 1024;

/** An application that logs each request, as most do. */
const CHATTY = `
const http = require("http");
const { HOST, PORT, BLUEGREEN_RELEASE_ID } = process.env;
const words = "GET /health 200 ".repeat(40);
http.createServer((request, response) => {
  console.log(new Date().toISOString() + " " + words);
  response.setHeader("x-release-id", BLUEGREEN_RELEASE_ID);
  response.end("ok");
}).listen(Number(PORT), HOST);
process.on("SIGTERM", () => process.exit(0));
`;

describeEndToEnd("a day at rest", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ environment: { servers: { count: 1 }, verification: { path: "/health" } } });
    world.write("app/server.js", CHATTY);
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  const folder = ".bluegreen/local";

  /** Bytes by file, those that take part in a day at rest: not Terraform's programs, not what a release wrote once. */
  function sizes(): Map<string, number> {
    const names = readdirSync(world.path(folder), { recursive: true, encoding: "utf8" });
    const files = names.filter((name) => lstatSync(join(world.path(folder), name)).isFile());
    return new Map(files.map((name) => [name, lstatSync(join(world.path(folder), name)).size]));
  }

  it("leaves no file larger than its bound, and the newest lines of each log", async () => {
    expect(await world.deploy("release", "1.0.0", "--artifact", "app")).toMatchObject({ exitCode: 0 });
    const before = sizes();
    for (let restarts = 0; restarts < 5; restarts++) {
      const [proxy] = world.pids(/^haproxy -db/);
      process.kill(proxy!, "SIGKILL");
      await until(() => world.pids(/^haproxy -db/).some((pid) => pid !== proxy), "the proxy runs again");
    }
    await until(async () => (await world.serving())[0] === "1.0.0-1", "users are served");
    await manyRequests(`${world.origin()}/health`);
    const log = "servers/web-1/logs/blue.log";
    await until(() => sizes().get(log)! < LOG_BYTES, "the guard has looked");

    const grown = [...sizes()].filter(([name, size]) => size !== before.get(name));
    const tooLong = grown.filter(([name, size]) => size > (name.endsWith(".log") ? LOG_BYTES : FILE_BYTES));
    expect(tooLong).toEqual([]);
    // It did write more than that.
    expect(grown.map(([name]) => name)).toEqual(expect.arrayContaining([log]));
    expect(sizes().get(log)).toBeGreaterThan(4 * 1024 * 1024);
    const [, newest] = /([^ \n]+)[^\n]*\n$/.exec(world.text(`${folder}/${log}`).slice(-1000))!;
    expect(Date.now() - Date.parse(newest!)).toBeLessThan(60_000);
    const total = (of: Map<string, number>): number => [...of.values()].reduce((sum, size) => sum + size, 0);
    expect(total(sizes()) - total(before)).toBeLessThan(2 * LOG_BYTES);
  });
});

/** Over as many connections as a small site has. */
async function manyRequests(address: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  let left = REQUESTS;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) =>
      get(address, { agent }, (response) => response.resume().on("end", resolve)).on("error", reject),
    );
  const user = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await one();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, user));
  agent.destroy();
}
