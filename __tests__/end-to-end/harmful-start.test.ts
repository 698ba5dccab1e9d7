/**
 * A candidate that harms stable by merely starting, as one does that takes the last connections of a database: no user gets
 * it, and the command stops it, so that stable's users are well again.
 */
import { mkdirSync } from "node:fs";
import { get } from "node:http";
import type { DriverName } from "../../configuration/drivers";
import { describeEndToEnd, oneServer, World } from "./world";

/**
 * Two instances are one too many: then the older one fails every third request. One answer in a hundred fails at all times.
 */
const CONNECTED = `
const { readdirSync, writeFileSync, rmSync } = require("node:fs");
const { createServer } = require("node:http");
const { limit } = require("./limit.json");
const lives = (pid) => { try { process.kill(Number(pid), 0); return true; } catch { return false; } };
writeFileSync(limit + "/" + process.pid, "");
const startedAlone = readdirSync(limit).filter(lives).length === 1;
let turn = 0;
const server = createServer((request, response) => {
  response.setHeader("x-release-id", process.env.BLUEGREEN_RELEASE_ID);
  if (request.url === "/health") return response.end("ok");
  turn += 1;
  const exceeded = startedAlone && readdirSync(limit).filter(lives).length > 1;
  if (turn % 100 === 7 || (exceeded && turn % 3 === 0)) response.statusCode = 500;
  response.end("<h1>a page</h1>");
});
server.keepAliveTimeout = 65000;
server.listen(Number(process.env.PORT), process.env.HOST || "127.0.0.1");
process.on("SIGTERM", () => { rmSync(limit + "/" + process.pid, { force: true }); server.close(() => process.exit(0)); });
`;
const BETWEEN_REQUESTS_MS = 20;

describe.each<DriverName>(["embedded", "haproxy"])("with %s", (driver) => {
  describeEndToEnd("a release that harms stable by starting", () => {
    let world: World;
    let timer: NodeJS.Timeout;
    let failed = 0;
    let answered = 0;

    beforeAll(async () => {
      world = await World.create({
        environment: oneServer(driver, {
          ...{ strategy: "canary", steps: [5, 100], stepSeconds: 5, bakeSeconds: 5, drainSeconds: 2 },
        }),
      });
      mkdirSync(world.path("limit"));
      expect(await release("1.0.0")).toMatchObject({ outcome: "installed", exitCode: 0 });
      timer = setInterval(() => {
        get(`${world.origin()}/`, { agent: false, localAddress: `127.0.2.${answered % 200}` }, (response) => {
          answered += 1;
          if (response.statusCode !== 200) failed += 1;
          response.resume();
        }).on("error", () => (failed += 1));
      }, BETWEEN_REQUESTS_MS);
    });
    afterAll(async () => {
      clearInterval(timer);
      expect(await world.end()).toEqual([]);
    });

    function release(version: string) {
      const limit = { limit: world.path("limit") };
      return world.releaseOf(version, { "server.js": CONNECTED, "limit.json": limit });
    }

    it("is rejected without a user, and stopped", async () => {
      const ended = await release("1.1.0");
      expect(ended).toMatchObject({
        ...{ exitCode: 4, outcome: "rejected", from: "1.0.0-1", to: "1.0.0-1", sequence: 2 },
        users: { worse: true },
      });
      expect(ended.reason).toMatch(
        /users of 1\.0\.0-1 got more failed answers .*1\.1\.0-2 still runs in green/,
      );
      expect(ended.reason).toMatch(/This command did so: record 3$/);
      expect(world.record).toMatchObject({ sequence: 3, active: "blue", slots: { green: null } });
      const before = failed;
      const enough = answered + 100;
      while (answered < enough) await new Promise((resolve) => setTimeout(resolve, 50));
      // What fails by chance.
      expect(failed - before).toBeLessThan(10);
    });
  });
});
