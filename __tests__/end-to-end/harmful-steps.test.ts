/**
 * A candidate that harms stable before it gets any user: by its migration, which locks a table that stable reads, or by its
 * warm-up, which takes what stable needs. No director runs then: the command asks the proxies, ends the release within five
 * seconds, and stops the candidate, so that stable's users are well again.
 */
import type { DriverName } from "../../configuration/drivers";
import type { Receipt } from "../../release/receipt";
import { Visitors } from "./visitors";
import { describeEndToEnd, oneServer, REPOSITORY, World } from "./world";

/**
 * It reads a table for each page. While another instance warms up, every fifth page fails. One that has to warm up is not
 * healthy meanwhile. One answer in a hundred fails at all times.
 */
const READING = `
const { existsSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { Pool } = require(${JSON.stringify(`${REPOSITORY}/node_modules/pg`)});
const { database, warming, warmsUp } = require("./behaviour.json");
const pool = new Pool({ connectionString: readFileSync(database, "utf8").trim(), max: 10, statement_timeout: 300 });
if (warmsUp) writeFileSync(warming, String(process.pid));
let turn = 0;
const server = createServer(async (request, response) => {
  response.setHeader("x-release-id", process.env.BLUEGREEN_RELEASE_ID);
  if (request.url === "/health") return response.writeHead(warmsUp ? 503 : 200).end("ok");
  turn += 1;
  if (turn % 100 === 7 || (turn % 5 === 0 && existsSync(warming))) return response.writeHead(500).end();
  try {
    const { rows } = await pool.query("SELECT title FROM goals");
    response.end("<h1>" + rows.length + " goals</h1>");
  } catch {
    response.writeHead(500).end();
  }
});
server.keepAliveTimeout = 65000;
server.listen(Number(process.env.PORT), process.env.HOST || "127.0.0.1");
process.on("SIGTERM", () => { if (warmsUp) rmSync(warming, { force: true }); server.close(() => process.exit(0)); });
`;
const RATE = 20;
const LOCKING = "ALTER TABLE goals ADD COLUMN note text; SELECT pg_sleep(60);";

describe.each<DriverName>(["haproxy", "nginx", "embedded"])("with %s", (driver) => {
  describeEndToEnd("a release that harms stable before it has users", () => {
    let world: World;
    let visitors: Visitors;

    beforeAll(async () => {
      world = await World.create({
        environment: {
          ...oneServer(driver, {
            ...{ strategy: "canary", steps: [5, 100], stepSeconds: 5, bakeSeconds: 5, drainSeconds: 2 },
          }),
          verification: { path: "/health", intervalSeconds: 0.05, deadlineSeconds: 60 },
        },
      });
      const platform = { kind: "local", portBase: world.portBase, database: "postgres" };
      world.changeEnvironment({ platform });
      world.write("scripts/0001-goals.sql", "CREATE TABLE goals (title text);");
      const first = await release("1.0.0", false, "--migrations", "scripts");
      expect(first).toMatchObject({ outcome: "installed", exitCode: 0 });
      visitors = new Visitors(world.origin(), RATE);
      await visitors.more(60);
    });
    afterAll(async () => {
      visitors.stop();
      expect(await world.end()).toEqual([]);
    });

    function release(version: string, warmsUp: boolean, ...options: string[]) {
      const behaviour = {
        database: world.path(".bluegreen/local/data/database.url"),
        ...{ warming: world.path("warming"), warmsUp },
      };
      return world.releaseOf(version, { "server.js": READING, "behaviour.json": behaviour }, ...options);
    }

    /** How many seconds had at least two failed answers: at all times one comes in five seconds. */
    function harmedSeconds(since: number): number {
      const seconds = visitors.failures.filter((at) => at >= since).map((at) => Math.floor(at / 1000));
      return [...new Set(seconds)].filter((each) => seconds.filter((one) => one === each).length > 1).length;
    }

    async function expectStopped(ending: ReturnType<typeof release>, sequence: number, step: RegExp) {
      const startedAt = Date.now();
      const ended = await ending;
      const seconds = harmedSeconds(startedAt);
      process.stderr.write(
        `${driver}: ${ended.outcome}, users were harmed for ${seconds} s: ${ended.reason}\n`,
      );
      expect(ended).toMatchObject({
        ...{ exitCode: 4, outcome: "rejected", from: "1.0.0-1", to: "1.0.0-1", sequence },
        users: { worse: true },
      });
      expect(ended.reason).toMatch(step);
      expect(ended.reason).toMatch(
        /^1\.\d\.0-\d got no requests: users of 1\.0\.0-1 got .*This command did so: record \d$/,
      );
      const receipt = world.read<Receipt>(`.bluegreen/local/receipts/${sequence}.json`);
      expect(JSON.stringify(receipt.proxies)).not.toMatch(/"weight":(?!0\b)/);
      const { stdout } = await world.run(["history", String(sequence)]);
      expect(stdout).toMatch(/users' failed answers rose/);
      await world.run(["report", ended.receipt!, "--output", world.path("report.html")]);
      expect(world.text("report.html")).not.toMatch(/noticed nothing/);
      expect([...visitors.releases.keys()].filter((each) => each !== "undefined")).toEqual(["1.0.0-1"]);
      // Well again, but for what fails by chance.
      const { failed } = visitors;
      await visitors.more(100);
      expect(visitors.failed - failed).toBeLessThan(10);
    }

    it("by warming up is stopped", async () => {
      await expectStopped(release("1.1.0", true), 2, /more failed answers from when it was installed/);
    });

    it("by migrating is stopped, and its transaction rolled back", async () => {
      world.write("scripts/0002-note.sql", LOCKING);
      const ending = release("1.2.0", false, "--migrations", "scripts");
      await expectStopped(ending, 4, /more failed answers from when it was migrated for and installed/);
    });
  });
});
