/** The migrator as Terraform starts it, on a real PostgreSQL. */
import { DatabaseServer } from "./migrator";
import { until } from "../../../testbed/processes";
import type { TestDatabase } from "./migrator";

let server: DatabaseServer;
let database: TestDatabase;
beforeAll(async () => (server = await DatabaseServer.start()));
afterAll(() => server.stop());
beforeEach(async () => (database = await server.newDatabase()));
afterEach(() => database.close());

const GOALS = {
  "0001-goals.sql":
    "CREATE TABLE goals (id int PRIMARY KEY, author text NOT NULL);\nINSERT INTO goals VALUES (1, 'a');",
};
const OWNER = {
  ...GOALS,
  "0002-owner.sql": "ALTER TABLE goals ADD COLUMN owner text;\nUPDATE goals SET owner = author;",
};
const WITHOUT_AUTHOR = { ...OWNER, "0003-contract-author.sql": "ALTER TABLE goals DROP COLUMN author;" };

describe("a database is brought to what the bundle asks for", () => {
  it("from nothing, in order, and each script once", async () => {
    expect(await database.run(OWNER)).toMatchObject({
      exitCode: 0,
      result: { outcome: "migrated", applied: [{ script: "0001-goals.sql" }, { script: "0002-owner.sql" }] },
    });
    expect(await database.run(OWNER)).toMatchObject({
      exitCode: 0,
      result: { outcome: "unchanged", applied: [] },
    });
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-owner.sql applied"]);
    expect(await database.rows("SELECT owner FROM goals")).toEqual([{ owner: "a" }]);
  });

  it("the journal tells which release brought a script, and when", async () => {
    await database.run(GOALS, { release: "1.0.0-1" });
    await database.run(OWNER, { release: "1.1.0-2" });
    const rows = await database.rows(
      "SELECT release, phase, length(sha256) AS digits, finished >= started AND started > now() - interval '1 minute' AS timely FROM bluegreen_migrations ORDER BY number",
    );
    expect(rows).toEqual([
      { release: "1.0.0-1", phase: "expand", digits: 64, timely: true },
      { release: "1.1.0-2", phase: "expand", digits: 64, timely: true },
    ]);
  });

  it("`plan` lists what would run, and changes nothing", async () => {
    expect(await database.run(WITHOUT_AUTHOR, { command: "plan" })).toMatchObject({
      exitCode: 0,
      result: { pending: ["0001-goals.sql", "0002-owner.sql"], waiting: ["0003-contract-author.sql"] },
    });
    expect(await database.rows("SELECT to_regclass('bluegreen_migrations') AS journal")).toEqual([
      { journal: null },
    ]);
  });

  it("a contract script waits until the record lets it run; expand scripts need not wait for it", async () => {
    const later = { ...WITHOUT_AUTHOR, "0004-notes.sql": "CREATE TABLE notes (id int)" };
    expect(await database.run(later)).toMatchObject({
      exitCode: 0,
      result: { waiting: ["0003-contract-author.sql"] },
    });
    expect(await database.journal()).toHaveLength(3);
    const contracted = ["0003-contract-author.sql"];
    expect(await database.run(later, { contracted })).toMatchObject({ exitCode: 0, result: { waiting: [] } });
    expect(await database.rows("SELECT * FROM goals")).toEqual([{ id: 1, owner: "a" }]);
  });

  it("a release whose bundle is older leaves a database alone that is ahead", async () => {
    await database.run(OWNER);
    expect(await database.run(GOALS)).toMatchObject({
      exitCode: 0,
      result: { outcome: "unchanged", ahead: ["0002-owner.sql"] },
    });
  });
});

describe("refused, and nothing is changed:", () => {
  beforeEach(async () => void (await database.run(OWNER, { release: "1.1.0-2" })));

  it.each([
    [
      "a script that was changed after it was applied",
      { ...OWNER, "0002-owner.sql": "ALTER TABLE goals ADD COLUMN owner varchar(9)" },
      {},
      3,
      /0002-owner\.sql was changed after it was applied with 1\.1\.0-2/,
    ],
    [
      "a script that is missing",
      { "0002-owner.sql": OWNER["0002-owner.sql"] },
      {},
      3,
      /0001-goals\.sql was applied .* does not have it/,
    ],
    [
      "another script under a number that is taken",
      { ...GOALS, "0002-notes.sql": "CREATE TABLE notes (id int)" },
      {},
      3,
      /0002-owner\.sql was applied .* has 0002-notes\.sql in its place/,
    ],
    [
      "a gap",
      { ...OWNER, "0004-notes.sql": "CREATE TABLE notes (id int)" },
      {},
      2,
      /between 0002-owner\.sql and 0004-notes\.sql there is a gap/,
    ],
    ["a bundle with another digest", OWNER, { sha256: "f".repeat(64) }, 2, /has the digest/],
    [
      "a bundle that ends elsewhere than the record says",
      OWNER,
      { newest: "0003-notes.sql" },
      2,
      /the record says 0003-notes\.sql/,
    ],
    [
      "a contract script that the record does not know",
      WITHOUT_AUTHOR,
      { contracts: [] },
      2,
      /disagree whether 0003-contract-author\.sql/,
    ],
    [
      "a transaction of its own",
      { ...OWNER, "0003-a.sql": "SELECT 1;\n/* a */ COMMIT;" },
      {},
      2,
      /0003-a\.sql, line 2: .*leave out COMMIT/,
    ],
  ] as const)("%s", async (_, scripts, options, exitCode, reason) => {
    const ended = await database.run(scripts, options);
    expect(ended).toMatchObject({
      exitCode,
      result: { outcome: "refused", reason: expect.stringMatching(reason) as string },
    });
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-owner.sql applied"]);
    expect(await database.rows("SELECT to_regclass('notes') AS notes")).toEqual([{ notes: null }]);
  });

  it("a script that comes too late", async () => {
    await database.rows("DELETE FROM bluegreen_migrations WHERE number = 1");
    expect(await database.run(OWNER)).toMatchObject({
      exitCode: 3,
      result: { reason: expect.stringMatching(/0001-goals\.sql is out of order: 0002-owner\.sql/) as string },
    });
  });
});

describe("a script that fails", () => {
  it("leaves the database as before it; the ones before stay, and a mended one goes on", async () => {
    const failing = {
      ...OWNER,
      "0003-notes.sql":
        "CREATE TABLE notes (id int);\nINSERT INTO notes VALUES (1);\nINSERT INTO nowhere VALUES (1);",
    };
    expect(await database.run(failing)).toMatchObject({
      exitCode: 4,
      result: {
        outcome: "failed",
        reason: 'migrate: 0003-notes.sql, line 3: relation "nowhere" does not exist'.slice(9),
      },
    });
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-owner.sql applied"]);
    expect(await database.rows("SELECT to_regclass('notes') AS notes")).toEqual([{ notes: null }]);
    const mended = { ...OWNER, "0003-notes.sql": "CREATE TABLE notes (id int);" };
    expect(await database.run(mended)).toMatchObject({ exitCode: 0 });
    expect(await database.count("goals")).toBe(1);
  });

  it("because of somebody's lock is tried again, and makes nobody wait for long", async () => {
    await database.run(GOALS);
    await database.rows("BEGIN");
    await database.rows("LOCK TABLE goals IN ACCESS EXCLUSIVE MODE");
    const running = database.start(OWNER);
    await until(() => running.said().includes("again in 0.5 s"), "a second attempt");
    await database.rows("COMMIT");
    expect(await running.ended).toMatchObject({
      exitCode: 0,
      result: { applied: [{ script: "0002-owner.sql" }] },
    });
  });
});

describe("two migrators at once", () => {
  it("one runs, the other waits and then has nothing to do", async () => {
    const slow = { ...GOALS, "0002-slow.sql": "SELECT pg_sleep(1.5); CREATE TABLE notes (id int);" };
    const runs = [database.start(slow), database.start(slow), database.start(slow)];
    const ended = await Promise.all(runs.map((run) => run.ended));
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(ended.map(({ result }) => result["outcome"]).sort()).toEqual([
      "migrated",
      "unchanged",
      "unchanged",
    ]);
    expect(
      ended.filter(({ stderr }) => stderr.includes("another migration of this database runs")),
    ).toHaveLength(2);
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-slow.sql applied"]);
  });

  it("the other one gives up after its time, with a reason", async () => {
    const first = database.start({ "0001-slow.sql": "SELECT pg_sleep(30)" });
    await until(() => first.said().includes("0001-slow.sql"), "the first script");
    expect(await database.run({ "0001-slow.sql": "SELECT pg_sleep(30)" }, { waitSeconds: 1 })).toMatchObject({
      exitCode: 3,
      result: { reason: expect.stringMatching(/another migration still runs after 1 s/) as string },
    });
  });
});

describe("kill -9 in the middle", () => {
  it("of a transaction: nothing of the script stays, and the next migrator does it whole", async () => {
    const scripts = {
      ...GOALS,
      "0002-slow.sql":
        "INSERT INTO goals VALUES (2, 'b'); SELECT pg_sleep(2); INSERT INTO goals VALUES (3, 'c');",
    };
    const killed = database.start(scripts);
    await until(() => killed.said().includes("0002-slow.sql"), "the second script");
    killed.child.kill("SIGKILL");
    await killed.ended;
    // The server is still at it; the next one waits for that.
    expect(await database.run(scripts)).toMatchObject({
      exitCode: 0,
      result: { applied: [{ script: "0002-slow.sql" }] },
    });
    expect(await database.count("goals")).toBe(3);
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-slow.sql applied"]);
  });

  describe("of a script without a transaction: refused until a person says what became of it", () => {
    const scripts = {
      ...GOALS,
      "0002-slow.sql":
        "-- no-transaction\nCREATE TABLE IF NOT EXISTS notes (id int);\nSELECT pg_sleep(1);\nINSERT INTO notes VALUES (1);",
    };
    beforeEach(async () => {
      const killed = database.start(scripts);
      await until(
        async () => (await database.rows("SELECT 1 FROM pg_class WHERE relname = 'notes'")).length === 1,
        "its first statement",
      );
      killed.child.kill("SIGKILL");
      await killed.ended;
      expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-slow.sql running"]);
    });

    it("pending: it runs again", async () => {
      const refused = await database.run(scripts);
      expect(refused.exitCode).toBe(3);
      const [, command] =
        /then node \S+ (resolve \S+ --as) applied \(or pending\)/.exec(String(refused.result["reason"])) ??
        [];
      const resolved = await database.spawn([...command!.split(" "), "pending"]).ended;
      expect(resolved).toMatchObject({ exitCode: 0, result: { outcome: "resolved" } });
      expect(await database.run(scripts)).toMatchObject({
        exitCode: 0,
        result: { applied: [{ script: "0002-slow.sql" }] },
      });
      expect(await database.count("notes")).toBe(1);
    });

    it("applied: it does not", async () => {
      await database.spawn(["resolve", "0002-slow.sql", "--as", "applied"]).ended;
      expect(await database.run(scripts)).toMatchObject({ exitCode: 0, result: { outcome: "unchanged" } });
      expect(await database.count("notes")).toBe(0);
      expect(await database.spawn(["resolve", "0002-slow.sql", "--as", "applied"]).ended).toMatchObject({
        exitCode: 3,
      });
    });
  });
});

describe("without a transaction", () => {
  it("a script does what PostgreSQL refuses inside of one", async () => {
    const index = "CREATE INDEX CONCURRENTLY goals_author ON goals (author);";
    expect(await database.run({ ...GOALS, "0002-index.sql": index })).toMatchObject({ exitCode: 4 });
    expect(
      await database.run({ ...GOALS, "0002-index.sql": `-- no-transaction\n${index}\nVACUUM goals;` }),
    ).toMatchObject({ exitCode: 0 });
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-index.sql applied"]);
  });
});

it("what a script sets for its session is not for the next, nor for the journal", async () => {
  const scripts = {
    "0001-elsewhere.sql":
      "CREATE SCHEMA elsewhere; SET search_path = elsewhere; CREATE TABLE here (id int); SET lock_timeout = 0;",
    "0002-goals.sql": "CREATE TABLE goals (id int)",
  };
  expect(await database.run(scripts)).toMatchObject({ exitCode: 0 });
  expect(
    await database.rows(
      "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname IN ('public', 'elsewhere') ORDER BY 1",
    ),
  ).toEqual([{ name: "elsewhere.here" }, { name: "public.bluegreen_migrations" }, { name: "public.goals" }]);
});

it("500 scripts", async () => {
  const scripts = Object.fromEntries(
    Array.from({ length: 500 }, (_, index) => [
      `${String(index + 1).padStart(4, "0")}-t.sql`,
      index === 0 ? "CREATE TABLE t (id int)" : `INSERT INTO t VALUES (${index});`,
    ]),
  );
  expect(await database.run(scripts)).toMatchObject({ exitCode: 0 });
  expect(await database.count("t")).toBe(499);
  expect(await database.count("bluegreen_migrations WHERE status = 'applied'")).toBe(500);
});

it("20 MB of data in a script", async () => {
  const row = (id: number) => `(${id}, '${"it''s; -- ".repeat(20)}')`;
  const inserts = Array.from(
    { length: 1000 },
    (_, block) =>
      `INSERT INTO t VALUES ${Array.from({ length: 100 }, (__, index) => row(100 * block + index)).join(",\n")};`,
  );
  const sql = inserts.join("\n");
  expect(sql.length).toBeGreaterThan(20_000_000);
  expect(
    await database.run({
      "0001-t.sql": "CREATE TABLE t (id int PRIMARY KEY, text text)",
      "0002-data.sql": sql,
    }),
  ).toMatchObject({ exitCode: 0 });
  expect(await database.count("t")).toBe(100_000);
});

describe("bad input", () => {
  it.each([
    [["run"], /no migration ran there yet/],
    [["run", "--spec", "e30="], /the spec: /],
    [["run", "--spec", "%%%"], /no base64 JSON/],
    [["reset"], /run, plan or resolve is wanted/],
    [["resolve", "../a.sql", "--as", "applied"], /wants a script's name/],
    [["resolve", "0001-a.sql", "--as", "done"], /--as applied or --as pending/],
    [["run", "--what"], /--what/],
  ])("%j exits with 2 and one line", async (args, message) => {
    const { exitCode, stderr } = await database.spawn(args).ended;
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
