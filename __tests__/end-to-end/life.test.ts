/** From nothing to nothing: an environment is started, used, taken down and started again; and the command's own words. */
import { describeEndToEnd, until, World } from "./world";

describeEndToEnd("an environment's life", () => {
  let world: World;
  beforeAll(async () => void (world = await World.create()));
  afterAll(async () => expect(await world.end()).toEqual([]));

  it("down does nothing where nothing runs", async () => {
    expect(await world.run(["down"])).toMatchObject({ exitCode: 0 });
    expect(world.record.sequence).toBe(0);
  });

  it("down leaves no process, and keeps record and data", async () => {
    await world.release("1.0.0");
    await world.release("1.1.0");
    const record = world.text("release.json");
    const posted = await fetch(`${world.origin()}/api/goals`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ title: "outlive a restart" }),
    });
    expect(posted.status).toBe(201);

    expect(await world.run(["down"])).toMatchObject({ exitCode: 0 });
    await until(() => world.processes().length === 0, "no process is left");
    expect(world.text("release.json")).toBe(record);
    expect(await world.serving(0, 1)).toEqual(["ECONNREFUSED"]);
  });

  it("starts again with the next release, under the next sequence; the data is there", async () => {
    const { outcome, sequence, to } = await world.release("1.4.0");
    expect({ outcome, sequence, to }).toEqual({ outcome: "installed", sequence: 3, to: "1.4.0-3" });
    expect(await world.serving()).toEqual(["1.4.0-3"]);
    const goals = await (await fetch(`${world.origin()}/api/goals?limit=20`)).text();
    expect(goals).toContain("outlive a restart");
    expect(await world.release("1.1.1", "1.1.0")).toMatchObject({ outcome: "promoted", to: "1.1.1-4" });
    expect(await world.deploy("rollback")).toMatchObject({ outcome: "rolledBack", to: "1.4.0-3" });
  });

  it("comes back after down with a retry of the same record", async () => {
    expect(await world.run(["down"])).toMatchObject({ exitCode: 0 });
    const { exitCode, to } = await world.deploy("retry");
    expect({ exitCode, to }).toEqual({ exitCode: 0, to: expect.stringMatching(/^1\.4\.0-\d+$/) });
    expect(await world.serving()).toEqual([to]);
  });

  it("comes back after down with `cdktf deploy`, or is refused: it never succeeds without serving", async () => {
    if (world.record.sequence === 0) await world.release("1.0.0");
    expect(await world.run(["down"])).toMatchObject({ exitCode: 0 });
    expect((await world.cdktf(["deploy", "base", "--auto-approve"])).exitCode).toBe(0);
    const { exitCode } = await world.applyByHand();
    const serving = await world.serving();
    expect({ succeeded: exitCode === 0, serving }).toEqual({
      succeeded: serving[0] !== "status 503",
      serving: expect.anything(),
    });
  });
});

describeEndToEnd("an environment's seconds", () => {
  const seconds = { path: "/health", intervalSeconds: 0.125, timeoutSeconds: 2.5, deadlineSeconds: 4 };

  it.each([
    ["fractions where they are allowed: every step accepts them", seconds, 0],
    ["fractions of a deadline: refused before anything happens", { ...seconds, deadlineSeconds: 4.5 }, 2],
  ])("%s", async (_, verification, exitCode) => {
    const world = await World.create({ environment: { verification } });
    try {
      expect((await (await world.startRelease("1.0.0")).ended).exitCode).toBe(exitCode);
    } finally {
      world.changeEnvironment({ verification: seconds });
      expect(await world.end()).toEqual([]);
    }
  });
});

describeEndToEnd("the command's words", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create();
    await world.release("1.0.0");
  });
  afterAll(async () => expect(await world.end()).toEqual([]));

  it.each([
    [
      "status",
      {
        record: expect.objectContaining({ sequence: 1 }),
        proxies: [expect.objectContaining({ proxy: "proxy-1" })],
      },
    ],
    ["abort", { outcome: "unchanged", exitCode: 0 }],
  ])("%s --json is JSON on stdout, and nothing else", async (command, expected) => {
    const { exitCode, stdout, stderr } = await world.run([command, "--json"]);
    expect({ exitCode, stderr, json: JSON.parse(stdout) as unknown }).toEqual({
      exitCode: 0,
      stderr: "",
      json: expected,
    });
  });

  it("release --json tells the outcome, good or bad", async () => {
    expect(await world.release("1.1.0")).toEqual({
      sequence: 2,
      goal: "live",
      from: "1.0.0-1",
      to: "1.1.0-2",
      outcome: "promoted",
      exitCode: 0,
      reason: "1.1.0-2 is live in green",
      seconds: expect.any(Number),
      // What the switch was judged by, before it was final.
      comparison: {
        weight: 100,
        seconds: expect.any(Number),
        stable: { requests: 0, errors: 0, p95Ms: null },
        candidate: { requests: 0, errors: 0, p95Ms: null },
        notJudged: "only 0 answers, minimumRequests is 20",
      },
      // The site has no users.
      notJudged: ["100 %: only 0 answers, minimumRequests is 20"],
      users: {
        answers: 0,
        failed: 0,
        before: null,
        worse: false,
        foundWorse: false,
        uncounted: [],
        seconds: expect.any(Number),
      },
      unfinished: [],
      logs: [],
      requests: null,
      receipt: ".bluegreen/local/receipts/2.json",
    });
    expect(await world.release("1.2.0")).toMatchObject({ outcome: "rejected", exitCode: 4, to: "1.1.0-2" });
  });

  it("status tells a person what users get, slot by slot", async () => {
    const { exitCode, stdout } = await world.run(["status"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ {2}blue +0 % +idle/m);
    expect(stdout).toMatch(/^ {2}green +100 % +stable +web-1 \(127\.0\.0\.1:\d+\) 1\.1\.0-2, web-2/m);
  });

  it("`down --json` is JSON, too", async () => {
    const { exitCode, stdout } = await world.run(["down", "--json"]);
    expect(exitCode).toBe(0);
    expect(() => JSON.parse(stdout) as unknown).not.toThrow();
  });
});
