/**
 * Releases that bring migrations, each over a network that is cut at another place. Between command and database stands a
 * relay, and only the migrator uses it: the application needs no database. Two releases that are not cut say how many
 * units (messages, packets, TLS records) one has; the others are cut at points that are spread over them.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { CuttingRelay } from "../../development/testbed/cutting-relay";
import type { CuttingRelayOptions } from "../../development/testbed/cutting-relay";
import type { Deployment } from "../../cli/deployment/outcome";
import { describeEndToEnd, World } from "./world";

/** The database behind the relay, asked without it. */
export interface CutDatabase {
  readonly platform: "postgres" | "mssql";
  readonly port: number;
  /** The variable that names its server to the platform. @param port the relay's. */
  server(port: number): { readonly variable: "PG_URL" | "MSSQL_URL"; readonly address: string };
  /** A table's name as scripts write it. */
  named(table: string): string;
  /** Name and status of each script, in the order of the numbers. */
  journal(): Promise<string[]>;
  /** Whether a row was committed. */
  has(table: string, id: number): Promise<boolean>;
  /** @param scripts all that were released. @throws where it is not as after a run of them that nothing disturbed. */
  expectAsUndisturbed(scripts: Readonly<Record<string, string>>): Promise<void>;
  close(): Promise<void>;
}

interface Cut {
  /** How far in the release's conversation with the database, from 0 to 1. */
  readonly at: number;
  readonly how: "rst" | "fin";
  /** `refuse`: there is no way to the database until the release is over, and the migrator gives up. */
  readonly later: "work" | "refuse";
}

/** As many points, spread evenly. A migrator that is refused asks for half a minute: so few are. */
export function cuts(count: number, refused: readonly number[] = []): Cut[] {
  return Array.from({ length: count }, (_, index) => ({
    at: (index + 0.5) / count,
    how: index % 2 === 0 ? "rst" : "fin",
    later: refused.includes(index) ? "refuse" : "work",
  }));
}

const APPLICATION = {
  "server.js": `const headers = { "x-release-id": process.env.BLUEGREEN_RELEASE_ID };
const server = require("node:http").createServer((_, response) => response.writeHead(200, headers).end("ok"));
server.listen(process.env.PORT, process.env.HOST || "127.0.0.1");
process.on("SIGTERM", () => { server.close(() => process.exit()); server.closeIdleConnections(); });
`,
};
const ROWS = [1, 2, 3, 4];
const BY_ITSELF = 2;

/** How a release gets live whose connection was cut: the migrator connects again, or a person goes on. */
type Way = "by itself" | "retry" | "resolve";

/** @param wanted ways that have to be among those that the releases took. */
export function describeCuts(
  start: () => Promise<CutDatabase>,
  points: readonly Cut[],
  wanted: readonly Way[] = [],
): void {
  describeEndToEnd("a release whose connection to the database is cut", () => {
    let database: CutDatabase;
    let world: World;
    let relay: CuttingRelay;
    let port = 0;
    let released = 0;
    let before: string | undefined;
    const scripts: Record<string, string> = {};
    /** Units of a release that nothing cuts, by its number. */
    const undisturbed = new Map<number, number>();
    /** In which ways releases that were cut came to their ends. */
    const ways: Way[] = [];

    beforeAll(async () => {
      database = await start();
      world = await World.create({ topology: "sideBySide", environment: { servers: { count: 1 } } });
      world.changeEnvironment({
        platform: { kind: "local", portBase: world.portBase, database: database.platform },
      });
      for (const [name, text] of Object.entries(APPLICATION)) world.write(`application/${name}`, text);
      await network();
      const { variable, address } = database.server(port);
      before = process.env[variable];
      process.env[variable] = address;
    });

    afterAll(async () => {
      expect(await world.end()).toEqual([]);
      await relay.close();
      const { variable } = database.server(port);
      if (before === undefined) delete process.env[variable];
      else process.env[variable] = before;
      await database.close();
    });

    /** From now on the way to the database is this one, at the same address. */
    async function network(cut: Partial<CuttingRelayOptions> = {}): Promise<void> {
      if (port !== 0) await relay.close();
      relay = await CuttingRelay.start({
        target: { host: "127.0.0.1", port: database.port },
        port,
        ...cut,
      });
      port = relay.port;
    }

    /** Three scripts more: two transactions, and between them a script without one, of a single statement. */
    async function release(): Promise<Deployment> {
      released += 1;
      const table = database.named(`t${released}`);
      const number = (index: number): string => String(3 * (released - 1) + index).padStart(4, "0");
      const insert = (id: number): string => `INSERT INTO ${table} VALUES (${id});\n`;
      scripts[`${number(1)}-table.sql`] = `CREATE TABLE ${table} (id int);\n${insert(1)}`;
      scripts[`${number(2)}-loose.sql`] = `-- no-transaction\n${insert(BY_ITSELF)}`;
      scripts[`${number(3)}-rows.sql`] = insert(3) + insert(4);
      const folder = world.path("scripts");
      mkdirSync(folder, { recursive: true });
      for (const [name, sql] of Object.entries(scripts)) writeFileSync(`${folder}/${name}`, sql);
      const from = ["--artifact", world.path("application"), "--migrations", folder];
      return world.deploy("release", `1.0.${released}`, ...from);
    }

    const applied = (): string[] => Object.keys(scripts).map((name) => `${name} applied`);

    /** All of it, once: rows, journal, and users on the release. */
    async function expectLive({ exitCode, to, reason }: Deployment): Promise<void> {
      expect({ exitCode, reason }).toMatchObject({ exitCode: 0 });
      expect(await database.journal()).toEqual(applied());
      for (const id of ROWS) expect(await database.has(`t${released}`, id)).toBe(true);
      expect(to).toMatch(new RegExp(`^1\\.0\\.${released}-`));
      expect(await world.serving()).toEqual([to]);
    }

    /** What a person does who is told that a script was left running: looks, and says what was found. */
    async function resolve(refused: Deployment): Promise<Deployment> {
      const [, script] = /`bluegreen migrations resolve (\S+) --as applied`/.exec(refused.reason) ?? [];
      expect({ ...refused, script }).toMatchObject({
        exitCode: 3,
        script: expect.stringMatching(/-loose\.sql$/) as string,
      });
      const as = (await database.has(`t${released}`, BY_ITSELF)) ? "applied" : "pending";
      return world.deploy("migrations", "resolve", script!, "--as", as);
    }

    it("... is live where nothing cuts it; so it is known how much one has to say", async () => {
      await expectLive(await release());
      for (const number of [2, 3]) {
        await network();
        await expectLive(await release());
        undisturbed.set(number, relay.boundaries);
      }
      expect(undisturbed.get(2)).toBeGreaterThan(50);
    });

    it.each(points)("at $at by $how, later: $later", async ({ at, how, later }) => {
      const [second, third] = [undisturbed.get(2)!, undisturbed.get(3)!];
      // The journal grows by as many rows with each release.
      const units = second + (released + 1 - 2) * (third - second);
      const [serving] = await world.serving();
      await network({ cutAfter: Math.round(at * units), how, later });
      const cut = await release();
      expect(relay.isCut).toBe(true);
      await network();
      if (cut.exitCode === 0) {
        ways.push("by itself");
        return expectLive(cut);
      }
      expect(await world.serving()).toEqual([serving]);
      const isLeft = (await database.journal()).some((row) => row.endsWith(" running"));
      // A migrator that reached the database again has said so already.
      const retried = isLeft && later === "work" ? cut : await world.deploy("retry");
      await expectLive(isLeft ? await resolve(retried) : retried);
      ways.push(isLeft ? "resolve" : "retry");
    });

    it("... leaves the database, in the end, as if nothing had been cut", async () => {
      await database.expectAsUndisturbed(scripts);
      expect(wanted.filter((way) => !ways.includes(way))).toEqual([]);
    });
  });
}
