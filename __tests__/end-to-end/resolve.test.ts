/** A script without a transaction that was cut off: the way on, from where one releases, without a look at the server. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { KnownJournal } from "../../cli/migrations/journal";
import { describeEndToEnd, oneLine, until, World } from "./world";
import { rowsOf } from "../on-server/migrate/migrator";

const FOLDER = `${__dirname}/../../examples/socialgoal/releases`;
const OWN = {
  "0001-goals-and-updates.sql": "1.0.0",
  "0002-goal-owner.sql": "1.1.0",
  "0003-goal-owner-of-old-rows.sql": "1.1.0",
};
const SLOW = "-- no-transaction\nCREATE TABLE notes (id int);\nSELECT pg_sleep(3600);\n";

describeEndToEnd("a script without a transaction that did not come to its end", () => {
  let world: World;

  beforeAll(async () => {
    world = await World.create({ topology: "split" });
    world.changeEnvironment({ platform: { kind: "local", portBase: world.portBase, database: "postgres" } });
    expect(await world.release("1.0.0")).toMatchObject({ outcome: "installed", exitCode: 0 });
  });

  afterAll(async () => expect(await world.end()).toEqual([]));

  const rows = <Row extends object>(sql: string): Promise<Row[]> =>
    rowsOf(world.text(".bluegreen/local/data/database.url").trim(), sql);

  function folderWith(scripts: Readonly<Record<string, string>>): string {
    const folder = world.path("scripts");
    mkdirSync(folder, { recursive: true });
    for (const [name, version] of Object.entries(OWN)) {
      writeFileSync(`${folder}/${name}`, readFileSync(`${FOLDER}/${version}/migrations/${name}`));
    }
    for (const [name, sql] of Object.entries(scripts)) writeFileSync(`${folder}/${name}`, sql);
    return folder;
  }

  /** Releases 1.1.0 as `version` with a script that sleeps, and ends its session at the database. */
  async function releaseCutOff(version: string, scripts: Readonly<Record<string, string>>): Promise<void> {
    const running = await world.startRelease(version, "1.1.0", "--json", "--migrations", folderWith(scripts));
    const sleeping = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()";
    await until(async () => {
      const tables = await rows("SELECT 1 WHERE to_regclass('bluegreen_migrations') IS NOT NULL");
      return tables.length > 0 && (await rows(`SELECT pid ${sleeping}`)).length > 0;
    }, "the script runs");
    await rows(`SELECT pg_terminate_backend(pid) ${sleeping}`);
    expect((await running.ended).exitCode).not.toBe(0);
  }

  async function journal(): Promise<KnownJournal & { exitCode: number }> {
    const { stdout, stderr } = await world.run(["migrations", "status", "--json"]);
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as KnownJournal & { exitCode: number };
  }

  const statuses = async (): Promise<string[]> =>
    (await journal()).scripts.map(({ name, status }) => `${name} ${status}`);

  it("is named by the next attempt, and by the status, with the command that goes on", async () => {
    await releaseCutOff("1.1.0", { "0004-notes.sql": SLOW });
    expect(await world.serving()).toEqual(["1.0.0-1"]);
    const again = await world.deploy("retry");
    expect(again).toMatchObject({ exitCode: 3, to: "1.0.0-1" });
    expect(again.reason).toMatch(
      /0004-notes\.sql began .* `bluegreen migrations resolve 0004-notes\.sql --as applied`/,
    );
    expect(await journal()).toMatchObject({ source: "database", step: null, exitCode: 0 });
    expect(await statuses()).toEqual([
      "0001-goals-and-updates.sql applied",
      "0002-goal-owner.sql applied",
      "0003-goal-owner-of-old-rows.sql applied",
      "0004-notes.sql running",
    ]);
    const { stdout } = await world.run(["migrations", "status"]);
    expect(stdout).toMatch(
      /0004-notes\.sql +running .*`bluegreen migrations resolve 0004-notes\.sql --as applied` or `--as pending`/,
    );
  });

  it("is planned first: the plan says what happens to the journal, and changes nothing", async () => {
    const before = world.text("release.json");
    const { stdout, exitCode } = await world.run(["plan", "resolve", "0004-notes.sql", "--as", "applied"]);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringContaining("the journal lists 0004-notes.sql as applied, and does not run again"),
    });
    expect(world.text("release.json")).toBe(before);
  });

  it("answered as applied, does not run again, and the release goes on to its end", async () => {
    expect(await world.deploy("migrations", "resolve", "0004-notes.sql", "--as", "applied")).toMatchObject({
      outcome: "promoted",
      exitCode: 0,
      from: "1.0.0-1",
      to: "1.1.0-4",
    });
    expect(world.record.resolve).toEqual([{ script: "0004-notes.sql", as: "applied" }]);
    expect(world.read(".bluegreen/local/receipts/4.json")).toMatchObject({ action: "resolve" });
    expect((await statuses()).at(-1)).toBe("0004-notes.sql applied");
  });

  it("of a candidate that was cancelled: only the journal changes", async () => {
    await releaseCutOff("1.1.1", { "0004-notes.sql": SLOW, "0005-more.sql": SLOW.replace("notes", "more") });
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0, to: "1.1.0-4" });
    expect(world.record).not.toHaveProperty("resolve");
    expect((await statuses()).at(-1)).toBe("0005-more.sql running");
    await rows("DROP TABLE more");
    expect(await world.deploy("migrations", "resolve", "0005-more.sql", "--as", "pending")).toMatchObject({
      exitCode: 0,
      from: "1.1.0-4",
      to: "1.1.0-4",
    });
    expect((await statuses()).at(-1)).toBe("0004-notes.sql applied");
    expect(await world.serving()).toEqual(["1.1.0-4"]);
  });

  it("answered as pending, runs with the release that goes on", async () => {
    await releaseCutOff("1.1.1", { "0004-notes.sql": SLOW, "0005-more.sql": SLOW.replace("notes", "more") });
    await rows("DROP TABLE more");
    const record = { ...world.record, sequence: world.record.sequence + 1, migrate: true, retry: true };
    // As docs/commands.md says it is done by hand.
    world.record = { ...record, resolve: [{ script: "0005-more.sql", as: "pending" }] };
    const applying = world.applyByHand();
    const sleeping = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()";
    await until(async () => (await rows(`SELECT pid ${sleeping}`)).length > 0, "the script runs again");
    await rows(`SELECT pg_cancel_backend(pid) ${sleeping}`);
    expect((await applying).exitCode).not.toBe(0);
  });

  it("of a name that is none, or of a record that says nonsense, is refused with exit code 2", async () => {
    const before = world.text("release.json");
    const ran = await world.run(["migrations", "resolve", "../x", "--as", "applied"]);
    expect({ exitCode: ran.exitCode, said: oneLine(ran) }).toEqual({
      exitCode: 2,
      said: expect.stringMatching(/"\.\.\/x" is not a script's name/),
    });
    expect(world.text("release.json")).toBe(before);
  });
});
