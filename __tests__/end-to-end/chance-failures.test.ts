/**
 * An application that fails by chance, as most do: released over itself it passes, and one that fails ten times as often is
 * rolled back, whatever the proxy. The chance of a false rollback is a hundredth, so one in ten releases is hardly ever seen.
 */
import type { Deployment } from "../../cli/deployment/outcome";
import type { DriverName } from "../../configuration/drivers";
import { Visitors } from "./visitors";
import { describeEndToEnd, oneServer, World } from "./world";

/** Its latencies are log-normal: with a median of 20 ms the longest of a thousand is half a second. */
const BY_CHANCE = `
const { createServer } = require("node:http");
const { failing, median } = require("./behaviour.json");
const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const server = createServer((request, response) => {
  response.setHeader("x-release-id", process.env.BLUEGREEN_RELEASE_ID);
  if (request.url === "/health") return response.end("ok");
  const [, session] = /session=([^;]*)/.exec(request.headers.cookie ?? "") ?? [];
  if (session === undefined) response.setHeader("set-cookie", "session=" + Math.random());
  else response.setHeader("x-session", session);
  if (Math.random() < failing) response.statusCode = 500;
  response.setHeader("content-type", "text/html; charset=utf-8");
  setTimeout(() => response.end("<h1>a page</h1>"), median * Math.exp(normal()));
});
server.keepAliveTimeout = 65000;
server.listen(Number(process.env.PORT), process.env.HOST || "127.0.0.1");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`;
const RATE = 200;
const RELEASES_OVER_ITSELF = 10;
const WORSE_RELEASES = 5;
const MINUTES = 15;

describe.each<DriverName>(["haproxy", "nginx", "embedded"])("with %s", (driver) => {
  describeEndToEnd("an application that fails by chance", () => {
    let world: World;
    let visitors: Visitors;

    beforeAll(async () => {
      world = await World.create({
        environment: oneServer(driver, {
          ...{ strategy: "canary", steps: [5, 25, 100] },
          ...{ stepSeconds: 10, bakeSeconds: 10, drainSeconds: 2 },
        }),
      });
      expect(await release("1.0.0", { failing: 0.02, median: 20 })).toMatchObject({
        outcome: "installed",
        exitCode: 0,
      });
      visitors = new Visitors(world.origin(), RATE);
      await visitors.more(1000);
    });
    afterAll(async () => {
      visitors.stop();
      expect(await world.end()).toEqual([]);
    });

    function release(
      version: string,
      behaviour: { failing: number; median: number },
      ...options: string[]
    ): Promise<Deployment> {
      return world.releaseOf(version, { "server.js": BY_CHANCE, "behaviour.json": behaviour }, ...options);
    }

    /** @returns the outcomes, besides what this run shows to a person. */
    async function releases(count: number, version: string, failing: number): Promise<Deployment[]> {
      const ended: Deployment[] = [];
      for (let each = 0; each < count; each++) {
        const { failed } = visitors;
        const deployment = await release(version, { failing, median: 20 });
        ended.push(deployment);
        const { outcome, exitCode, seconds, reason } = deployment;
        const lost = `users' failed answers: ${visitors.failed - failed}, lost sessions: ${visitors.lostSessions}`;
        const why = exitCode === 0 ? "" : ` (${reason})`;
        process.stderr.write(
          `${driver}, ${100 * failing} % fail: ${outcome} after ${seconds.toFixed(0)} s; ${lost}${why}\n`,
        );
      }
      return ended;
    }

    it(
      "is released over itself, ten times: at most one is rolled back",
      async () => {
        const ended = await releases(RELEASES_OVER_ITSELF, "1.0.0", 0.02);
        expect(ended.filter(({ outcome }) => outcome !== "promoted").length).toBeLessThanOrEqual(1);
        expect(visitors.lostSessions).toBe(0);
      },
      MINUTES * 60_000,
    );

    it(
      "is rolled back, each time, if it fails ten times as often, and may be released again",
      async () => {
        const ended = await releases(WORSE_RELEASES, "1.1.0", 0.2);
        for (const deployment of ended) {
          expect(deployment).toMatchObject({ outcome: "rolledBack", exitCode: 5 });
          expect(deployment.reason).toMatch(/more than stable .*The same artifact may be released again/);
        }
        expect(visitors.lostSessions).toBe(0);
      },
      MINUTES * 60_000,
    );

    it("is rolled back if it is five times slower, also with blue/green", async () => {
      const slow = { failing: 0.02, median: 100 };
      const ended = await release("1.2.0", slow, "--strategy", "blueGreen", "--bake-seconds", "20");
      expect(ended).toMatchObject({ outcome: "rolledBack", exitCode: 5 });
      expect(ended.reason).toMatch(/of its answers take longer than \d+ ms, .*stable's was \d+ ms/);
    });
  });
});
