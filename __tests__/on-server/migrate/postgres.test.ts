/** The migrator as Terraform starts it, on a real PostgreSQL: what is PostgreSQL's own. The rest: promises.ts. */
import { until } from "../../../development/testbed/processes";
import { DatabaseServer } from "./migrator";
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

describe("the journal", () => {
  it("tells which release brought a script, and when", async () => {
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
      /disagree on whether 0003-contract-author\.sql/,
    ],
    [
      "a transaction of its own",
      { ...OWNER, "0003-a.sql": "SELECT 1;\n/* a */ COMMIT;" },
      {},
      2,
      /0003-a\.sql, line 2: COMMIT is not allowed in a script/,
    ],
    [
      "a string that never ends, without a transaction, too",
      { ...OWNER, "0003-a.sql": "-- no-transaction\nCREATE TABLE notes (id int);\nSELECT 'a;" },
      {},
      2,
      /0003-a\.sql, line 3: /,
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
    await until(() => running.said().includes("retrying in 0.5 s"), "a second attempt");
    await database.rows("COMMIT");
    expect(await running.ended).toMatchObject({
      exitCode: 0,
      result: { applied: [{ script: "0002-owner.sql" }] },
    });
  });
});

describe("what is set for a database or a login does not decide over a migration", () => {
  it("a limit for statements ends neither a script nor the wait for another migration", async () => {
    await database.rows("ALTER DATABASE " + database.name + " SET statement_timeout = '300ms'");
    const slow = { "0001-slow.sql": "SELECT pg_sleep(1.5);" };
    const ended = await Promise.all([database.run(slow), database.run(slow)]);
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  });

  it("a script that resets all settings still waits no longer for a lock than others shall wait behind it", async () => {
    await database.run(GOALS);
    await database.rows("BEGIN");
    await database.rows("SELECT * FROM goals");
    const script = "RESET ALL; ALTER TABLE goals ADD COLUMN note text;";
    const running = database.start({ ...GOALS, "0002-note.sql": script });
    await until(() => running.said().includes("lock timeout"), "the lock's time to be over");
    await database.rows("COMMIT");
    expect(await running.ended).toMatchObject({ exitCode: 0 });
  });

  it("a search_path without a schema is refused in one line, and the program ends", async () => {
    await database.rows("ALTER DATABASE " + database.name + " SET search_path = 'nowhere'");
    expect(await database.run(GOALS)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/no schema of the login's search_path \(nowhere\) exists/) as string,
    });
  });
});

it("a schema that gets before the journal's in the search_path is refused: all scripts would run again there", async () => {
  await database.run(OWNER);
  await database.rows(`CREATE SCHEMA ${new URL(database.url).username}`);
  const refused = await database.run(OWNER);
  expect(refused).toMatchObject({ exitCode: 3 });
  expect(refused.result["reason"]).toMatch(
    /^the journal is in the schema public, but .* first schema is bluegreen now/,
  );
});

it("a schema before the journal's is named as SQL quotes it; one with a journal of its own is another matter", async () => {
  const comesFirst = (path: string): Promise<unknown> =>
    database.rows(`ALTER DATABASE ${database.name} SET search_path = ${path}`);
  await database.rows('CREATE SCHEMA "My-App"');
  await database.run(OWNER);
  await comesFirst('"My-App", public');
  const refused = await database.run(OWNER);
  expect(refused).toMatchObject({ exitCode: 3 });
  expect(refused.result["reason"]).toContain(
    'the journal is in the schema public, but the login\'s first schema is "My-App" now',
  );
  await comesFirst('"My-App"');
  expect(await database.run(OWNER)).toMatchObject({ exitCode: 0, result: { outcome: "migrated" } });
  await comesFirst('"My-App", public');
  expect(await database.run(OWNER)).toMatchObject({ exitCode: 0, result: { outcome: "unchanged" } });
});

it("a migrator that is killed leaves no statement at work, and none of its locks", async () => {
  await database.run(GOALS);
  const slow = "LOCK TABLE goals IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600);";
  const killed = database.start({ ...GOALS, "0002-slow.sql": slow });
  const atWork =
    "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' AND pid <> pg_backend_pid()";
  await until(async () => (await database.rows(atWork)).length === 1, "the script");
  killed.child.kill("SIGKILL");
  await killed.ended;
  await until(async () => (await database.rows(atWork)).length === 0, "its end on the server");
  expect(await database.count("goals")).toBe(1);
});

it("a deferred constraint that fails at the commit has its script's name", async () => {
  const script = `CREATE TABLE a (id int PRIMARY KEY);
    CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO b VALUES (1);`;
  const ended = await database.run({ "0001-ab.sql": script });
  expect(ended).toMatchObject({ exitCode: 4 });
  expect(ended.result["reason"]).toMatch(/^0001-ab\.sql: .*violates foreign key constraint/);
  expect(await database.rows("SELECT to_regclass('b') AS b")).toEqual([{ b: null }]);
});

it("a database that can't be reached is asked again for a while, and then named with the cause", async () => {
  database.reach("postgres://a:b@127.0.0.1:1/shop");
  expect(await database.run(GOALS)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/can't be reached: connect ECONNREFUSED 127\.0\.0\.1:1\n$/) as string,
  });
});

describe("CREATE INDEX CONCURRENTLY", () => {
  const UNIQUE = "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY goals_author ON goals (author);";
  const INVALID = "SELECT 1 FROM pg_index WHERE NOT indisvalid";

  it("that fails leaves no INVALID index, and nothing to resolve", async () => {
    const twice = {
      "0001-goals.sql":
        "CREATE TABLE goals (id int, author text);\nINSERT INTO goals VALUES (1, 'a'), (2, 'a');",
    };
    const failed = await database.run({ ...twice, "0002-unique.sql": UNIQUE });
    expect(failed).toMatchObject({
      exitCode: 4,
      stderr: expect.stringMatching(/the index public\.goals_author is INVALID.*: dropping it/) as string,
    });
    expect(failed.result["reason"]).toMatch(/^0002-unique\.sql.*could not create unique index/);
    expect(await database.rows(INVALID)).toEqual([]);
    expect(await database.journal()).toEqual(["0001-goals.sql applied"]);
    await database.rows("DELETE FROM goals WHERE id = 2");
    expect(await database.run({ ...twice, "0002-unique.sql": UNIQUE })).toMatchObject({ exitCode: 0 });
  });

  it.each(["CREATE UNIQUE INDEX CONCURRENTLY", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS"])(
    "%s that was cut short is built again, once a person said that it is pending",
    async (create) => {
      const scripts = {
        ...GOALS,
        "0002-index.sql": `-- no-transaction\n${create} goals_author ON goals (author);`,
      };
      await database.run(GOALS);
      await database.rows("BEGIN");
      await database.rows("INSERT INTO goals VALUES (2, 'b')");
      const killed = database.start(scripts);
      await until(async () => (await database.otherRows(INVALID)).length === 1, "the index to be half built");
      killed.child.kill("SIGKILL");
      await killed.ended;
      await database.otherRows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY%' AND pid <> pg_backend_pid()",
      );
      await database.rows("COMMIT");
      expect(await database.run(scripts)).toMatchObject({ exitCode: 3 });
      await database.spawn(["resolve", "0002-index.sql", "--as", "pending"]).ended;
      expect(await database.run(scripts)).toMatchObject({ exitCode: 0 });
      expect(await database.rows(INVALID)).toEqual([]);
      expect(await database.rows("SELECT 1 FROM pg_indexes WHERE indexname = 'goals_author'")).toHaveLength(
        1,
      );
    },
  );

  it("waits for as long as others take: it holds nobody up meanwhile", async () => {
    await database.run(GOALS);
    await database.rows("BEGIN");
    await database.rows("INSERT INTO goals VALUES (2, 'b')");
    const running = database.start({ ...GOALS, "0002-index.sql": UNIQUE });
    const waits =
      "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY%' AND wait_event_type = 'Lock' AND now() - query_start > interval '7 seconds'";
    await until(
      async () => (await database.otherRows(waits)).length === 1,
      "it to wait for longer than a lock's limit",
    );
    await database.rows("COMMIT");
    expect(await running.ended).toMatchObject({ exitCode: 0 });
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
    [["run"], /no migration has run there yet/],
    [["run", "--spec", "e30="], /the spec: /],
    [["run", "--spec", "%%%"], /not base64 JSON/],
    [["reset"], /the command must be run, plan, status or resolve/],
    [["resolve", "../a.sql", "--as", "applied"], /needs a script's name/],
    [["resolve", "0001-a.sql", "--as", "done"], /--as applied or --as pending/],
    [["run", "--what"], /--what/],
  ])("%j exits with 2 and one line", async (args, message) => {
    const { exitCode, stderr } = await database.spawn(args).ended;
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
