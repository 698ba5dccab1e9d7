/** The migrator as Terraform starts it, on the scripted SQL Server: what is SQL Server's own. The rest: promises.ts. */
import { selfSignedCertificate } from "../../../development/testbed/tds-server/certificate";
import type { SqlError } from "../../../development/testbed/tds-server/tokens";
import { reasonOf, refusal } from "./endings";
import { ScriptedDatabase } from "./kits";
import type { Ended, Scripts } from "./operations";

const CERTIFICATE = selfSignedCertificate();

let database: ScriptedDatabase;
beforeEach(async () => (database = await ScriptedDatabase.start({ certificate: CERTIFICATE })));
afterEach(() => database.close());

const GOALS = { "0001-goals.sql": "CREATE TABLE dbo.goals (id int);" };

describe("what the server says of a statement:", () => {
  const OWNER = {
    ...GOALS,
    "0002-owner.sql":
      "INSERT INTO dbo.goals VALUES (1);\nGO\n\nALTER TABLE dbo.goals DROP COLUMN author;\nGO\nINSERT INTO dbo.goals VALUES (2);",
  };
  const ALTER = /^ALTER TABLE dbo\.goals/;
  const DEPENDS: SqlError[] = [
    { number: 5074, message: "The object 'DF_goals_author' is dependent on column 'author'." },
    { number: 4922, message: "ALTER TABLE DROP COLUMN author failed because one or more objects access it." },
  ];

  it.each([
    ["5074 with 4922", DEPENDS],
    [
      "1776 with 1750",
      [
        { number: 1776, message: "There are no primary or candidate keys in the referenced table 'dbo.a'." },
        { number: 1750, message: "Could not create constraint or index. See previous errors." },
      ],
    ],
  ] as const)("both texts of %s, by the script's line", async (_, errors) => {
    database.server.fail(ALTER, errors);
    const ended = await database.run(OWNER);
    expect(ended).toMatchObject({ exitCode: 4, result: { outcome: "failed" } });
    expect(reasonOf(ended)).toBe(`0002-owner.sql, line 4: ${errors[0].message}; ${errors[1].message}`);
    expect(await database.journal()).toEqual(["0001-goals.sql applied"]);
    expect(await database.count("goals")).toBe(0);
  });

  it.each([
    [1222, "Lock request time out period exceeded."],
    [1205, "Transaction (Process ID 52) was deadlocked on lock resources."],
    [3960, "Snapshot isolation transaction aborted due to update conflict."],
  ])("%i passes: the script is done again, whole and once", async (number, message) => {
    database.server.fail(ALTER, [{ number, message }], 2);
    const ended = await database.run(OWNER);
    expect(ended).toMatchObject({ exitCode: 0, result: { outcome: "migrated" } });
    expect(ended.stderr).toContain(`0002-owner.sql, line 4: ${message}; retrying in 0.5 s`);
    expect(ended.stderr).toContain(`0002-owner.sql, line 4: ${message}; retrying in 1 s`);
    expect(database.server.data.committed).toEqual([
      "CREATE TABLE dbo.goals (id int)",
      "INSERT INTO dbo.goals VALUES (1)",
      "ALTER TABLE dbo.goals DROP COLUMN author",
      "INSERT INTO dbo.goals VALUES (2)",
    ]);
    expect(database.server.data.rows.get("goals")).toBe(2);
  });

  it("one of two that passes is enough for another try", async () => {
    database.server.fail(ALTER, [
      { number: 1222, message: "Lock request time out period exceeded." },
      { number: 1750, message: "Could not create constraint or index. See previous errors." },
    ]);
    expect(await database.run(OWNER)).toMatchObject({ exitCode: 0 });
    expect(await database.count("goals")).toBe(2);
  });

  it("what passes is not tried again where a script without a transaction did something already", async () => {
    database.server.fail(ALTER, [{ number: 1222, message: "Lock request time out period exceeded." }]);
    const ended = await database.run({
      ...OWNER,
      "0002-owner.sql": `-- no-transaction\n${OWNER["0002-owner.sql"]}`,
    });
    expect(ended.exitCode).toBe(4);
    expect(reasonOf(ended)).toMatch(
      /^0002-owner\.sql, line 5: Lock request .*`bluegreen migrations resolve 0002-owner\.sql --as applied`/,
    );
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-owner.sql running"]);
    expect(await database.count("goals")).toBe(1);
  });

  it.each([
    [40613, "Database 'shop' on server 'a' is not currently available."],
    [40501, "The service is currently busy."],
    [40197, "The service has encountered an error processing your request."],
  ])("%i is answered with a new connection", async (number, message) => {
    database.server.fail(ALTER, [{ number, message, severity: 20 }]);
    const before = database.server.encryptions.length;
    const ended = await database.run(OWNER);
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(ended.stderr).toContain(`the connection to the database was lost: ${message}; retrying in 0.5 s`);
    // The control session and one for each script, and after the loss again the control session and one for the script.
    expect(database.server.encryptions.length - before).toBe(5);
    expect(await database.count("goals")).toBe(2);
    expect(database.server.data.committed).toHaveLength(4);
  });

  it("an error within a procedure or a trigger is named with its line there, and by the batch that ran it", async () => {
    const scripts = {
      ...GOALS,
      "0002-rows.sql":
        "SELECT 1;\nGO\n\nINSERT INTO dbo.goals VALUES (1);\nINSERT INTO dbo.goals\n  VALUES (2);",
    };
    database.server.fail(/VALUES\s*\(2\)/, [
      { number: 547, message: "The INSERT statement conflicted.", procedure: "dbo.audit", line: 17 },
    ]);
    const ended = await database.run(scripts);
    expect(ended.exitCode).toBe(4);
    expect(reasonOf(ended)).toBe(
      "0002-rows.sql, line 4: The INSERT statement conflicted. (in dbo.audit, line 17)",
    );
  });
});

it("a script that loses its connection twice is what ends it: named, not run a third time, and not taken for done", async () => {
  const scripts = { ...GOALS, "0002-notes.sql": "CREATE TABLE dbo.notes (id int);" };
  await database.run(scripts);
  // Restored to an earlier time: what the migrator remembers of it does not count.
  database.server.data.journal.delete("0002-notes.sql");
  database.server.data.rows.delete("notes");
  const before = database.server.connections;
  database.server.disconnectAt(/^CREATE TABLE dbo\.notes/, "rst", 99);
  const ended = await database.run(scripts);
  expect(ended.exitCode).toBe(4);
  expect(reasonOf(ended)).toMatch(
    /^0002-notes\.sql: the connection to the database was lost: .*as in the attempt before$/,
  );
  expect(database.server.connections - before).toBeLessThanOrEqual(6);
});

describe("a script that is one transaction with its journal row", () => {
  const run = (script: string): Promise<Ended> => database.run({ ...GOALS, "0002-notes.sql": script });
  const WAY_ON = /`bluegreen migrations resolve 0002-notes\.sql --as applied` \(or `--as pending`\)/;

  it.each([
    ["COMMIT", "CREATE TABLE dbo.notes (id int);\nCOMMIT;\nINSERT INTO dbo.notes VALUES (1);", 2],
    ["COMMIT as its last word", "CREATE TABLE dbo.notes (id int);\nGO\n\nCOMMIT TRANSACTION", 4],
    [
      "ROLLBACK, and goes on",
      "INSERT INTO dbo.goals VALUES (1);\nROLLBACK;\nCREATE TABLE dbo.notes (id int);",
      2,
    ],
    [
      "COMMIT and BEGIN",
      "CREATE TABLE dbo.notes (id int);\nCOMMIT;\nBEGIN TRANSACTION;\nINSERT INTO dbo.notes VALUES (1);",
      2,
    ],
  ])("that says %s is left running, and the way on is named", async (_, script, line) => {
    const ended = await run(script);
    expect(ended).toMatchObject({ exitCode: 4, result: { running: "0002-notes.sql" } });
    expect(reasonOf(ended)).toMatch(
      new RegExp(`^0002-notes\\.sql, line ${line}: the script ended the transaction that it ran in: `),
    );
    expect(reasonOf(ended)).toMatch(WAY_ON);
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-notes.sql running"]);
    const again = await run(script);
    expect(again).toMatchObject({ exitCode: 3, result: { running: "0002-notes.sql" } });
    expect(reasonOf(again)).toMatch(WAY_ON);
  });

  it.each([
    ["COMMIT", "CREATE TABLE dbo.notes (id int);\nCOMMIT;\nINSERT INTO dbo.nowhere VALUES (1);"],
    [
      "ROLLBACK",
      "INSERT INTO dbo.goals VALUES (1);\nROLLBACK; CREATE TABLE dbo.notes (id int);\nINSERT INTO dbo.nowhere VALUES (1);",
    ],
  ])("that fails after its own %s is left running, too: what came between stays", async (_, script) => {
    const ended = await run(script);
    expect(ended.exitCode).toBe(4);
    expect(reasonOf(ended)).toMatch(/^0002-notes\.sql, line 3: Invalid object name 'nowhere'\./);
    expect(reasonOf(ended)).toMatch(WAY_ON);
    expect(await database.has("notes")).toBe(true);
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-notes.sql running"]);
  });

  it("is not run again where its connection is lost after its own ROLLBACK: what came after that stays", async () => {
    database.server.disconnectAt(/^INSERT INTO dbo\.notes/, "rst");
    const ended = await run("ROLLBACK;\nCREATE TABLE dbo.notes (id int);\nINSERT INTO dbo.notes VALUES (1);");
    expect(ended).toMatchObject({ exitCode: 3, result: { running: "0002-notes.sql" } });
    expect(reasonOf(ended)).toMatch(WAY_ON);
    expect(await database.has("notes")).toBe(true);
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-notes.sql running"]);
  });

  it("is not tried again after its own COMMIT, not even where it met a lock", async () => {
    database.server.fail(/^INSERT INTO dbo\.notes/, [{ number: 1222, message: "Lock request time out." }]);
    const ended = await run("CREATE TABLE dbo.notes (id int);\nCOMMIT;\nINSERT INTO dbo.notes VALUES (1);");
    expect(ended.exitCode).toBe(4);
    expect(reasonOf(ended)).toMatch(/^0002-notes\.sql, line 3: Lock request time out\./);
    expect(reasonOf(ended)).toMatch(WAY_ON);
    expect(ended.stderr).not.toContain("retrying in");
  });

  it.each([
    [
      "ROLLBACK as its last word",
      "CREATE TABLE dbo.notes (id int);\nINSERT INTO dbo.goals VALUES (1);\nROLLBACK;",
      3,
    ],
    ["ROLLBACK in a batch of its own", "CREATE TABLE dbo.notes (id int);\nGO\nROLLBACK TRANSACTION;", 3],
  ])("that says %s leaves nothing, and can be mended", async (_, script, line) => {
    const ended = await run(script);
    expect(ended.exitCode).toBe(4);
    expect(reasonOf(ended)).toMatch(
      new RegExp(`^0002-notes\\.sql, line ${line}: the script ended the transaction that it ran in: [^;]*$`),
    );
    expect(await database.has("notes")).toBe(false);
    expect(await database.count("goals")).toBe(0);
    expect(await database.journal()).toEqual(["0001-goals.sql applied"]);
    expect(await run("CREATE TABLE dbo.notes (id int);")).toMatchObject({ exitCode: 0 });
  });

  it("that opens a transaction and does not close it leaves nothing, and has its line", async () => {
    const ended = await run(
      "CREATE TABLE dbo.notes (id int);\n\nBEGIN TRAN;\nINSERT INTO dbo.notes VALUES (1);",
    );
    expect(ended.exitCode).toBe(4);
    expect(reasonOf(ended)).toMatch(
      /^0002-notes\.sql, line 3: the transaction that begins here was still open at the script's end/,
    );
    expect(await database.has("notes")).toBe(false);
    expect(await database.journal()).toEqual(["0001-goals.sql applied"]);
  });

  it("may open and close one of its own, over batches, too", async () => {
    const script =
      "BEGIN TRANSACTION;\nCREATE TABLE dbo.notes (id int);\nGO\nINSERT INTO dbo.notes VALUES (1);\nCOMMIT;\nGO\nINSERT INTO dbo.notes VALUES (2);";
    expect(await run(script)).toMatchObject({ exitCode: 0 });
    expect(await database.count("notes")).toBe(2);
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-notes.sql applied"]);
  });
});

describe("a script without a transaction that leaves work open", () => {
  it.each([
    [
      "SET IMPLICIT_TRANSACTIONS ON",
      "-- no-transaction\nSET IMPLICIT_TRANSACTIONS ON;\nINSERT INTO dbo.goals VALUES (1);",
      2,
    ],
    ["BEGIN TRAN", "-- no-transaction\nSELECT 1;\nGO\nBEGIN TRAN\nINSERT INTO dbo.goals VALUES (1);", 4],
  ])("by %s is a failure with its line: the database rolls it back", async (_, script, line) => {
    const ended = await database.run({ ...GOALS, "0002-rows.sql": script });
    expect(ended.exitCode).toBe(4);
    expect(reasonOf(ended)).toMatch(
      new RegExp(`^0002-rows\\.sql, line ${line}: the transaction that begins here was still open`),
    );
    expect(reasonOf(ended)).toMatch(/bluegreen migrations resolve 0002-rows\.sql --as applied/);
    expect(await database.count("goals")).toBe(0);
    expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-rows.sql running"]);
  });
});

describe("scripts as SQL Server's own tools read them:", () => {
  it("GO 3 runs a batch three times", async () => {
    const scripts = { ...GOALS, "0002-rows.sql": "INSERT INTO dbo.goals VALUES (1)\nGO 3\nSELECT 1;" };
    expect(await database.run(scripts)).toMatchObject({ exitCode: 0 });
    expect(await database.count("goals")).toBe(3);
  });

  it.each(["", "-- no-transaction\n"])(
    "a line with GO that is no separator is refused before anything runs (%j)",
    async (header) => {
      const scripts = { ...GOALS, "0002-rows.sql": `${header}INSERT INTO dbo.goals VALUES (1)\nGO;` };
      const { exitCode, reason } = await refusal(database, scripts);
      expect(exitCode).toBe(2);
      expect(reason).toMatch(
        new RegExp(
          `^0002-rows\\.sql, line ${header === "" ? 2 : 3}: GO;: GO ends a batch only alone on its line`,
        ),
      );
      expect(database.server.data.hasJournal).toBe(false);
    },
  );

  it("UTF-16 with a byte order mark, as Management Studio saves it", async () => {
    const text =
      "\ufeff-- Grüße\r\nCREATE TABLE dbo.goals (id int)\r\nGO\r\nINSERT INTO dbo.goals VALUES (1)\r\nGO\r\n";
    expect(await database.run({ "0001-goals.sql": Buffer.from(text, "utf16le") })).toMatchObject({
      exitCode: 0,
    });
    expect(await database.count("goals")).toBe(1);
  });

  it.each(["", "-- no-transaction\n"])(
    "one that goes to another database has its journal in the login's (%j)",
    async (header) => {
      const scripts = {
        ...GOALS,
        "0002-other.sql": `${header}USE archive;\nGO\nCREATE TABLE dbo.old (id int);`,
      };
      expect(await database.run(scripts)).toMatchObject({ exitCode: 0 });
      expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-other.sql applied"]);
    },
  );
});

describe("a database that Entity Framework Core migrated", () => {
  const OWN: Scripts = {
    "0001-init.sql": "-- ef-migration: 20240101120000_Init\n-- ef-baseline\nCREATE TABLE dbo.goals (id int);",
    "0002-notes.sql": "-- ef-migration: 20240201120000_Notes\nCREATE TABLE dbo.notes (id int);",
  };

  it("is taken over: what its history has is recorded and not run, the rest is run", async () => {
    database.server.data.efHistory = ["20240101120000_Init"];
    database.server.data.rows.set("goals", 7);
    expect(await database.run(OWN)).toMatchObject({
      exitCode: 0,
      result: { outcome: "migrated", adopted: ["0001-init.sql"], applied: [{ script: "0002-notes.sql" }] },
    });
    expect(await database.journal()).toEqual(["0001-init.sql applied", "0002-notes.sql applied"]);
    expect(await database.count("goals")).toBe(7);
    expect(database.server.data.committed).toEqual(["CREATE TABLE dbo.notes (id int)"]);
  });

  it("otherwise than its baseline says is refused, and nothing is run", async () => {
    database.server.data.efHistory = ["20230101120000_Older"];
    const ended = await database.run(OWN);
    expect(ended.exitCode).toBe(2);
    expect(reasonOf(ended)).toMatch(
      /0001-init\.sql has -- ef-baseline, but this database has other EF migrations/,
    );
    expect(database.server.data.committed).toEqual([]);
  });

  it("that is new is built by all of its scripts", async () => {
    expect(await database.run(OWN)).toMatchObject({ exitCode: 0 });
    expect(database.server.data.committed).toHaveLength(2);
  });
});
