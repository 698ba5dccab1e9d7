/** What a migration promises, whatever the database speaks: run on PostgreSQL, on the scripted SQL Server, and on a real one. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../../development/testbed/processes";
import type { Kit, MigratedDatabase, Words } from "./kits";
import type { Scripts } from "./operations";

export function migrationPromises(start: () => Promise<Kit>): void {
  let kit: Kit;
  let database: MigratedDatabase;
  let words: Words;
  let GOALS: Scripts;
  let OWNER: Scripts;
  let WITHOUT_AUTHOR: Scripts;
  beforeAll(async () => {
    kit = await start();
    words = kit.words;
    GOALS = { "0001-goals.sql": `${words.create("goals")};\n${words.insert("goals")};` };
    OWNER = { ...GOALS, "0002-owner.sql": `${words.create("owners")};\n${words.insert("owners")};` };
    WITHOUT_AUTHOR = { ...OWNER, "0003-contract-author.sql": "DROP TABLE owners;" };
  });
  afterAll(() => kit.stop());
  beforeEach(async () => (database = await kit.newDatabase()));
  afterEach(() => database.close());

  describe("a database is brought to what the bundle asks for", () => {
    it("from nothing, in order, and each script once", async () => {
      expect(await database.run(OWNER)).toMatchObject({
        exitCode: 0,
        result: {
          outcome: "migrated",
          applied: [{ script: "0001-goals.sql" }, { script: "0002-owner.sql" }],
        },
      });
      expect(await database.run(OWNER)).toMatchObject({
        exitCode: 0,
        result: { outcome: "unchanged", applied: [] },
      });
      expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-owner.sql applied"]);
      expect(await database.count("owners")).toBe(1);
    });

    it("`plan` and `status` list what would run, and change nothing", async () => {
      expect(await database.run(WITHOUT_AUTHOR, { command: "plan" })).toMatchObject({
        exitCode: 0,
        result: { pending: ["0001-goals.sql", "0002-owner.sql"], waiting: ["0003-contract-author.sql"] },
      });
      expect(await database.has("bluegreen_migrations")).toBe(false);
      await database.run(GOALS, { release: "1.0.0-1" });
      expect(await database.run(WITHOUT_AUTHOR, { command: "status" })).toMatchObject({
        exitCode: 0,
        result: {
          outcome: "status",
          scripts: [
            { name: "0001-goals.sql", status: "applied", release: "1.0.0-1", phase: "expand" },
            { name: "0002-owner.sql", status: "pending", release: null },
            { name: "0003-contract-author.sql", status: "waiting", phase: "contract" },
          ],
        },
      });
      expect(await database.journal()).toEqual(["0001-goals.sql applied"]);
    });

    it("a contract script waits until the record lets it run; expand scripts need not wait for it", async () => {
      const later = { ...WITHOUT_AUTHOR, "0004-notes.sql": words.create("notes") };
      expect(await database.run(later)).toMatchObject({
        exitCode: 0,
        result: { waiting: ["0003-contract-author.sql"] },
      });
      expect(await database.journal()).toHaveLength(3);
      const contracted = ["0003-contract-author.sql"];
      expect(await database.run(later, { contracted })).toMatchObject({
        exitCode: 0,
        result: { waiting: [], applied: [{ script: "0003-contract-author.sql" }] },
      });
    });

    it("a release whose bundle is older leaves a database alone that is ahead", async () => {
      await database.run(OWNER);
      expect(await database.run(GOALS)).toMatchObject({
        exitCode: 0,
        result: { outcome: "unchanged", ahead: ["0002-owner.sql"] },
      });
    });
  });

  it("what contradicts the journal is refused in one line, and nothing is changed", async () => {
    await database.run(OWNER, { release: "1.1.0-2" });
    const refused = async (scripts: Scripts, exitCode: number, reason: RegExp): Promise<void> => {
      const ended = await database.run(scripts);
      expect(ended).toMatchObject({ exitCode, result: { outcome: "refused" } });
      expect(ended.result["reason"]).toMatch(reason);
      expect(ended.stderr.trim().split("\n")).toHaveLength(1);
      expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-owner.sql applied"]);
    };
    await refused(
      { ...OWNER, "0002-owner.sql": "SELECT 1" },
      3,
      /0002-owner\.sql was changed after .* 1\.1\.0-2/,
    );
    await refused(
      { "0002-owner.sql": OWNER["0002-owner.sql"]! },
      3,
      /0001-goals\.sql was applied .* does not have it/,
    );
    await refused(
      { ...GOALS, "0002-notes.sql": words.create("notes") },
      3,
      /has 0002-notes\.sql in its place/,
    );
    await refused({ ...OWNER, "0004-notes.sql": words.create("notes") }, 2, /there is a gap/);
  });

  describe("a script that fails", () => {
    it("leaves the database as before it; the ones before stay, and a mended one goes on", async () => {
      const notes = `${words.create("notes")};\n${words.insert("notes")};\n`;
      const failed = await database.run({ ...OWNER, "0003-notes.sql": `${notes}${words.failing};` });
      expect(failed).toMatchObject({ exitCode: 4, result: { outcome: "failed", exitCode: 4 } });
      expect(failed.result["reason"]).toMatch(/^0003-notes\.sql, line 3: /);
      expect(failed.result["reason"]).toMatch(words.failure);
      expect(await database.has("notes")).toBe(false);
      expect(await database.journal()).toHaveLength(2);
      expect(await database.run({ ...OWNER, "0003-notes.sql": notes })).toMatchObject({
        exitCode: 0,
        result: { applied: [{ script: "0003-notes.sql" }] },
      });
    });

    it("without a transaction, half done, is left running in the journal, and the way on is named", async () => {
      const half = `-- no-transaction\n${words.create("notes")};\n${words.failing};`;
      const failed = await database.run({ ...GOALS, "0002-notes.sql": half });
      expect(failed).toMatchObject({ exitCode: 4 });
      expect(failed.result["reason"]).toMatch(/bluegreen migrations resolve 0002-notes\.sql --as applied/);
      expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-notes.sql running"]);
      expect(await database.run({ ...GOALS, "0002-notes.sql": half })).toMatchObject({ exitCode: 3 });
    });

    it("leaving a transaction open that it began is told with the line where it began, not taken for done", async () => {
      const open = `-- no-transaction\n${words.create("notes")};\n${words.begin};\n${words.insert("notes")};`;
      const failed = await database.run({ "0001-notes.sql": open });
      expect(failed).toMatchObject({ exitCode: 4 });
      expect(failed.result["reason"]).toMatch(
        /^0001-notes\.sql, line 3: .*add its COMMIT.*migrations resolve/,
      );
      expect(await database.journal()).toEqual(["0001-notes.sql running"]);
      expect(await database.count("notes")).toBe(0);
    });
  });

  describe("what ran before decides nothing", () => {
    it("a temporary table is gone with its script", async () => {
      const scripts = {
        "0001-a.sql": `${words.temporary.create};\n${words.temporary.use};`,
        "0002-b.sql": `${words.temporary.use};`,
      };
      const failed = await database.run(scripts);
      expect(failed).toMatchObject({ exitCode: 4 });
      expect(failed.result["reason"]).toMatch(/^0002-b\.sql, line 1: .*scratch/);
    });

    it("a script that becomes another user neither owns the next one's tables, nor writes the journal", async () => {
      const scripts = {
        "0001-a.sql": `${words.create("goals")};\n${words.become};`,
        "0002-b.sql": `${words.create("notes")};\n${words.insert("goals")};`,
        "0003-c.sql": `-- no-transaction\n${words.become};`,
      };
      expect(await database.run(scripts)).toMatchObject({ exitCode: 0 });
      expect(await database.journal()).toEqual([
        "0001-a.sql applied",
        "0002-b.sql applied",
        "0003-c.sql applied",
      ]);
    });
  });

  describe("two at once", () => {
    it("one runs, the others wait and then have nothing to do", async () => {
      const slow = { ...GOALS, "0002-slow.sql": `${words.sleep(2)};\n${words.create("notes")};` };
      const runs = [database.start(slow), database.start(slow), database.start(slow)];
      const ended = await Promise.all(runs.map((run) => run.ended));
      expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
      expect(ended.map(({ result }) => result["outcome"]).sort()).toEqual([
        "migrated",
        "unchanged",
        "unchanged",
      ]);
      expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-slow.sql applied"]);
    });

    it("the other one gives up after its time, with a reason", async () => {
      const slow = { "0001-slow.sql": words.sleep(9) };
      const first = database.start(slow);
      await until(() => first.said().includes("0001-slow.sql"), "the first script");
      expect(await database.run(slow, { waitSeconds: 1 })).toMatchObject({
        exitCode: 3,
        result: { reason: expect.stringMatching(/another migration is still running after 1 s/) as string },
      });
    });

    it("a release that needs nothing does not wait for one that migrates", async () => {
      await database.run(GOALS);
      const slow = database.start({ ...GOALS, "0002-slow.sql": words.sleep(9) });
      await until(() => slow.said().includes("0002-slow.sql"), "the slow script");
      expect(await database.run(GOALS)).toMatchObject({ exitCode: 0, result: { outcome: "unchanged" } });
      expect(slow.child.exitCode).toBeNull();
    });
  });

  describe("the connection is lost in the middle", () => {
    it("of a transaction: nothing of it stays, and it is done whole over a new connection", async () => {
      const slow = `${words.create("notes")};\n${words.sleep(3)};\n${words.insert("notes")};`;
      const run = database.start({ ...GOALS, "0002-slow.sql": slow });
      await until(() => run.said().includes("0002-slow.sql"), "the script");
      await database.cut();
      expect(await run.ended).toMatchObject({
        exitCode: 0,
        result: { outcome: "migrated" },
        stderr: expect.stringMatching(/(was lost|can't be reached): .*; retrying in/) as string,
      });
      expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-slow.sql applied"]);
      expect(await database.count("notes")).toBe(1);
    });

    it("of a script without a transaction: refused, with the command that resolves it", async () => {
      const slow = `-- no-transaction\n${words.create("notes")};\n${words.sleep(3)};`;
      const run = database.start({ "0001-slow.sql": slow });
      await until(() => database.has("notes"), "its first statement");
      await database.cut();
      const ended = await run.ended;
      expect(ended).toMatchObject({ exitCode: 3 });
      expect(ended.result["reason"]).toMatch(/bluegreen migrations resolve 0001-slow\.sql --as applied/);
      expect(await database.journal()).toEqual(["0001-slow.sql running"]);
    });
  });

  describe("kill -9 in the middle", () => {
    it("of a transaction: the next migrator does it whole", async () => {
      const scripts = { ...GOALS, "0002-slow.sql": `${words.insert("goals")};\n${words.sleep(2)};` };
      const killed = database.start(scripts);
      await until(() => killed.said().includes("0002-slow.sql"), "the second script");
      killed.child.kill("SIGKILL");
      await killed.ended;
      // The server may still be at it; the next one waits for that.
      expect(await database.run(scripts)).toMatchObject({
        exitCode: 0,
        result: { applied: [{ script: "0002-slow.sql" }] },
      });
      expect(await database.count("goals")).toBe(2);
    });

    describe("of a script without a transaction:", () => {
      let scripts: Scripts;
      beforeEach(async () => {
        scripts = {
          ...GOALS,
          "0002-slow.sql": `-- no-transaction\n${words.insert("goals")};\n${words.sleep(2)};`,
        };
        const killed = database.start(scripts);
        const began = async (): Promise<boolean> =>
          (await database.has("goals")) && (await database.count("goals")) === 2;
        await until(began, "its first statement");
        killed.child.kill("SIGKILL");
        await killed.ended;
        expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-slow.sql running"]);
      });

      it("resolved as pending, it runs again", async () => {
        const refused = await database.run(scripts);
        expect(refused.exitCode).toBe(3);
        const [, command] =
          /: node \S+ (resolve \S+ --as) applied \(or pending\)/.exec(String(refused.result["reason"])) ?? [];
        expect(await database.spawn([...command!.split(" "), "pending"]).ended).toMatchObject({
          exitCode: 0,
          result: { outcome: "resolved" },
        });
        expect(await database.run(scripts)).toMatchObject({
          exitCode: 0,
          result: { applied: [{ script: "0002-slow.sql" }] },
        });
        expect(await database.count("goals")).toBe(3);
      });

      it("resolved as applied, it does not; and there is nothing to resolve any more", async () => {
        await database.spawn(["resolve", "0002-slow.sql", "--as", "applied"]).ended;
        expect(await database.run(scripts)).toMatchObject({ exitCode: 0, result: { outcome: "unchanged" } });
        expect(await database.count("goals")).toBe(2);
        expect(await database.spawn(["resolve", "0002-slow.sql", "--as", "applied"]).ended).toMatchObject({
          exitCode: 3,
        });
      });

      it("answered for in the record as pending, it runs again in that step", async () => {
        const resolve = [{ script: "0002-slow.sql", as: "pending" as const }];
        expect(await database.run(scripts, { resolve })).toMatchObject({
          exitCode: 0,
          result: {
            outcome: "migrated",
            resolved: ["0002-slow.sql"],
            applied: [{ script: "0002-slow.sql" }],
          },
        });
        expect(await database.count("goals")).toBe(3);
      });

      it("answered for in the record as applied, it does not; the same answer again changes nothing", async () => {
        const resolve = [{ script: "0002-slow.sql", as: "applied" as const }];
        expect(await database.run(scripts, { resolve })).toMatchObject({
          exitCode: 0,
          result: { outcome: "migrated", resolved: ["0002-slow.sql"], applied: [] },
        });
        const again = await database.run(scripts, { resolve: [{ script: "0002-slow.sql", as: "pending" }] });
        expect(again).toMatchObject({ exitCode: 0, result: { outcome: "unchanged", applied: [] } });
        expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-slow.sql applied"]);
        expect(await database.count("goals")).toBe(2);
      });

      it("answered for by another name, it is refused as before, and named in the last line", async () => {
        const resolve = [{ script: "0001-goals.sql", as: "pending" as const }];
        expect(await database.run(scripts, { resolve })).toMatchObject({
          exitCode: 3,
          result: { outcome: "refused", running: "0002-slow.sql" },
        });
        expect(await database.journal()).toEqual(["0001-goals.sql applied", "0002-slow.sql running"]);
      });

      it("an answer that does not reach the database is no success, whatever was complete before", async () => {
        await database.run(GOALS);
        database.reach(words.unreachable);
        const resolve = [{ script: "0002-slow.sql", as: "applied" as const }];
        expect(await database.run(GOALS)).toMatchObject({ exitCode: 0, result: { outcome: "unchecked" } });
        expect((await database.run(GOALS, { resolve })).exitCode).not.toBe(0);
      });

      it("a release that needs nothing of it goes on: the way back stays open", async () => {
        expect(await database.run(GOALS)).toMatchObject({
          exitCode: 0,
          result: { outcome: "unchanged", ahead: [], running: "0002-slow.sql" },
        });
      });
    });
  });

  it("a database that can't be reached holds up no way back to what it was seen to have", async () => {
    await database.run(OWNER);
    database.reach(words.unreachable);
    expect(await database.run(OWNER)).toMatchObject({
      exitCode: 0,
      result: {
        outcome: "unchecked",
        applied: [],
        reason: expect.stringContaining("ECONNREFUSED") as string,
      },
      stderr: expect.stringMatching(
        /the database is not checked; at \S+ it had all that this release needs/,
      ) as string,
    });
  });

  it("a bundle that was fetched once is not fetched again: a way back needs no store", async () => {
    await database.run(OWNER);
    for (const file of readdirSync(database.folder)) {
      if (file.endsWith(".zip")) rmSync(join(database.folder, file));
    }
    expect(await database.spawn(["run"]).ended).toMatchObject({
      exitCode: 0,
      result: { outcome: "unchanged" },
    });
  });
}
