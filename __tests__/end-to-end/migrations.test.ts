/** Releases that change the database, through the built command, real Terraform and a real PostgreSQL. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { describeEndToEnd, oneLine, World } from "./world";
import { rowsOf } from "../on-server/migrate/migrator";

describeEndToEnd("a release that brings migrations", () => {
  let world: World;

  beforeAll(async () => {
    world = await World.create({ topology: "split" });
    world.changeEnvironment({ platform: { kind: "local", portBase: world.portBase, database: "postgres" } });
  });

  afterAll(async () => expect(await world.end()).toEqual([]));

  const rows = <Row extends object>(sql: string): Promise<Row[]> =>
    rowsOf(world.text(".bluegreen/local/data/database.url").trim(), sql);

  async function journal(): Promise<string[]> {
    const found = await rows<{ name: string; release: string }>(
      "SELECT name, release FROM bluegreen_migrations ORDER BY number",
    );
    return found.map(({ name, release }) => `${name} ${release}`);
  }

  /** What the last plan had to do for migrate steps. */
  async function migrateSteps(): Promise<string[]> {
    const plan = await world.savedPlan();
    return (plan.resource_changes ?? [])
      .filter(({ address }) => address.includes("migrate-"))
      .map(({ change }) => [...change.actions].sort().join(" "));
  }

  /** The result line of the migrator's last step. */
  function lastMigration(): unknown {
    const commands = world.path(".bluegreen/local/servers/operations-1/commands");
    const steps = readdirSync(commands).sort((one, other) => sequenceOf(one) - sequenceOf(other));
    const lines = readFileSync(`${commands}/${steps.at(-1)}/stdout`, "utf8")
      .trim()
      .split("\n");
    return JSON.parse(lines.at(-1)!) as unknown;
  }

  const sequenceOf = (step: string): number => Number(/^migrate-(\d+)-/.exec(step)![1]);

  /** The release's own scripts, and more. */
  function folderWith(scripts: Readonly<Record<string, string>>): string {
    const folder = world.path("scripts");
    mkdirSync(folder, { recursive: true });
    for (const version of ["1.0.0", "1.1.0"]) {
      for (const name of SCRIPTS[version]!) {
        const file = `${__dirname}/../../examples/socialgoal/releases/${version}/migrations/${name}`;
        writeFileSync(`${folder}/${name}`, readFileSync(file));
      }
    }
    for (const [name, sql] of Object.entries(scripts)) writeFileSync(`${folder}/${name}`, sql);
    return folder;
  }

  async function addGoal(title: string): Promise<number> {
    const answer = await fetch(`${world.origin()}/api/goals`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ title }),
    });
    return answer.status;
  }

  const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
    "1.0.0": ["0001-goals-and-updates.sql"],
    "1.1.0": ["0002-goal-owner.sql", "0003-goal-owner-of-old-rows.sql"],
  };

  it("migrates before it installs, and the application keeps its rows there", async () => {
    expect(await world.release("1.0.0")).toMatchObject({ outcome: "installed", exitCode: 0 });
    expect(await journal()).toEqual(["0001-goals-and-updates.sql 1.0.0-1"]);
    expect(await addGoal("of 1.0.0")).toBe(201);
    expect(await rows("SELECT title FROM goals")).toEqual([{ title: "of 1.0.0" }]);
  });

  it("whose expand script would break the running release is refused, before anything happens", async () => {
    const folder = folderWith({ "0004-drop.sql": "-- no longer used\nALTER TABLE goals DROP COLUMN title;" });
    const { file } = await world.pack("1.1.0");
    const before = world.text("release.json");
    const ran = await world.run(["release", "1.1.0", "--artifact", file, "--migrations", folder]);
    expect(ran.exitCode).toBe(2);
    expect(oneLine(ran)).toMatch(/0004-drop\.sql:2: ALTER TABLE GOALS DROP COLUMN TITLE: drops a column/);
    expect(world.text("release.json")).toBe(before);
  });

  it("whose script fails is rejected with its line; users notice nothing, and nothing is installed", async () => {
    const folder = folderWith({
      "0004-drop.sql": "CREATE TABLE notes (id int);\nINSERT INTO nowhere VALUES (1);",
    });
    const failed = await world.release("1.1.0", undefined, "--migrations", folder);
    expect(failed).toMatchObject({ outcome: "rejected", exitCode: 4, to: "1.0.0-1" });
    expect(failed.reason).toContain('0004-drop.sql, line 2: relation "nowhere" does not exist');
    expect(await world.serving()).toEqual(["1.0.0-1"]);
    expect(world.hasCommand("web-2", "install-green-1.1.0-2")).toBe(false);
    // The scripts before it stay, and 1.0.0 lives with them.
    expect(await journal()).toHaveLength(3);
    expect(await addGoal("of 1.0.0, on the newer schema")).toBe(201);
    expect(
      await rows("SELECT count(*)::int AS count FROM goals WHERE owner IS DISTINCT FROM author"),
    ).toEqual([{ count: 0 }]);
  });

  it("mended, goes through; a bundle that was already applied has a step that changes nothing", async () => {
    expect(await world.release("1.1.0")).toMatchObject({ outcome: "promoted", exitCode: 0 });
    expect(await addGoal("of 1.1.0")).toBe(201);
    const before = await journal();
    const ran = await (await world.startRelease("1.1.1", "1.1.0")).ended;
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toContain("plan: the database is checked; nothing new to migrate");
    expect(world.record).not.toHaveProperty("migrate");
    expect(await migrateSteps()).toEqual(["create delete"]);
    expect(lastMigration()).toMatchObject({ outcome: "unchanged", applied: [] });
    expect(await journal()).toEqual(before);
  });

  it("is asked by the plan over a state that has no such step yet, and by nothing else in it", async () => {
    const file = ".bluegreen/local/terraform.web.tfstate";
    const state = world.text(file);
    const resources = world.webState().resources.filter(({ name }) => name !== "migrate-operations-1");
    world.write(file, { ...world.webState(), resources });
    const { resource_changes: changes = [] } = await world.planByHand();
    world.write(file, state);
    const planned = changes.filter(({ change }) => change.actions.join() !== "no-op");
    expect(planned.map(({ address, change }) => `${address} ${change.actions.join()}`)).toEqual([
      "terraform_data.migrate-operations-1 create",
    ]);
  });

  it("is asked by a rollback, too, which brings what the database lacks", async () => {
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: "1.1.0-3" });
    expect(await migrateSteps()).toEqual(["create delete"]);
    expect(lastMigration()).toMatchObject({ outcome: "unchanged" });
    // As after a migration that was taken for done, and was not.
    const [lost] = await rows<{ number: number }>(
      "DELETE FROM bluegreen_migrations WHERE number = 3 RETURNING number",
    );
    expect(lost).toEqual({ number: 3 });
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: "1.1.1-4" });
    expect(lastMigration()).toMatchObject({
      outcome: "migrated",
      applied: [expect.objectContaining({ script: "0003-goal-owner-of-old-rows.sql" })],
    });
  });

  it("whose script was changed after it was applied is refused with exit code 3", async () => {
    const folder = folderWith({
      "0003-goal-owner-of-old-rows.sql": "SELECT 1;",
      "0004-drop.sql": "SELECT 1;",
    });
    const refused = await world.release("1.1.2", "1.1.0", "--migrations", folder);
    expect(refused).toMatchObject({ outcome: "refused", exitCode: 3, to: "1.1.1-4" });
    expect(refused.reason).toContain(
      "0003-goal-owner-of-old-rows.sql was changed after it was applied with 1.1.1-4",
    );
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0 });
  });

  it("keeps a contract script back until no release that can get traffic needs the old schema", async () => {
    const ran = await (await world.startRelease("1.4.0")).ended;
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toContain("0004-contract-goal-author.sql waits until");
    expect(await journal()).toHaveLength(3);
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0, to: "1.1.1-4" });
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0 });
  });

  it("runs it with the next release, and then refuses what needs the old schema", async () => {
    expect(await world.release("1.4.1", "1.4.0")).toMatchObject({ outcome: "promoted", exitCode: 0 });
    expect(world.record.contracted).toEqual(["0004-contract-goal-author.sql"]);
    expect(await rows("SELECT title FROM goals ORDER BY id")).toHaveLength(3);
    await expect(rows("SELECT author FROM goals")).rejects.toThrow(/author/);
    const { file } = await world.pack("1.1.3", "1.1.0");
    const ran = await world.run(["release", "1.1.3", "--artifact", file]);
    expect(ran.exitCode).toBe(3);
    expect(oneLine(ran)).toMatch(
      /1\.1\.3 needs what 0004-contract-goal-author\.sql removed from the database/,
    );
    expect(await world.deploy("rollback")).toMatchObject({ exitCode: 0 });
    expect(await addGoal("after all of it")).toBe(201);
  });

  it("fails where a step ends with 0 and says nothing, and the receipt says why; a retry goes on", async () => {
    const director = world.path(".bluegreen/local/servers/proxy-1/director.js");
    const real = `${director}.real.js`;
    renameSync(director, real);
    const silent = 'if (process.argv[2] !== "switch") require("./director.js.real.js");';
    writeFileSync(director, silent);
    const before = await world.serving();
    const failed = await world.release("1.4.2", "1.4.0");
    expect(failed).toMatchObject({ outcome: "failed", exitCode: 1 });
    const reason =
      /^step switch-\d+-[0-9a-f]{8} ended with 0 and without a result, .* on proxy-1, then `bluegreen retry`$/;
    expect(failed.reason).toMatch(reason);
    expect(await world.serving()).toEqual(before);
    const receipt = JSON.parse(readFileSync(world.path(failed.receipt!), "utf8")) as { reason: string };
    expect(receipt.reason).toMatch(reason);
    renameSync(real, director);
    expect(await world.deploy("retry")).toMatchObject({ outcome: "promoted", exitCode: 0 });
  });

  it("is cancelled by an abort where its contract script can't be run: no release needs one", async () => {
    const folder = world.path("contracts");
    mkdirSync(folder);
    const sample = `${__dirname}/../../examples/socialgoal/releases`;
    for (const version of ["1.0.0", "1.1.0", "1.4.0"]) {
      for (const name of readdirSync(`${sample}/${version}/migrations`)) {
        copyFileSync(`${sample}/${version}/migrations/${name}`, `${folder}/${name}`);
      }
    }
    writeFileSync(`${folder}/0005-contract-nowhere.sql`, "DROP TABLE nowhere;\n");
    const waits = await world.release("1.5.0", "1.4.0", "--migrations", folder);
    expect(waits).toMatchObject({ outcome: "promoted", exitCode: 0 });
    const failed = await world.release("1.5.1", "1.4.0", "--migrations", folder);
    expect(failed).toMatchObject({ outcome: "rejected", exitCode: 4 });
    expect(failed.reason).toContain('table "nowhere" does not exist');
    expect(await world.deploy("abort")).toMatchObject({ exitCode: 0, to: waits.to });
    expect(lastMigration()).toMatchObject({ outcome: "unchanged", waiting: ["0005-contract-nowhere.sql"] });
    expect(await world.serving()).toEqual([waits.to]);
  });
});
