/** A project's own checks between the phases: what they see, what they stop, and that nobody is left waiting by them. */
import { existsSync, rmSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { ask, describeEndToEnd, until, World } from "./world";

/** Notes what it finds at the candidate's endpoints and at the proxy; fails, or waits, where a file says so. */
const HOOK = `
const { appendFileSync, existsSync, readFileSync } = require("node:fs");
const facts = JSON.parse(readFileSync(0, "utf8"));
const release = (host, port) =>
  fetch("http://" + host + ":" + port + "/version", { signal: AbortSignal.timeout(2000) }).then(
    (answer) => answer.headers.get("x-release-id") ?? "status " + answer.status,
    () => "nobody",
  );
const all = (places) => Promise.all(places.map(({ host, port }) => release(host, port)));
const say = async () => {
  const [candidate, users] = [await all(facts.endpoints), await all(facts.proxies)];
  const { when, sequence, strategy } = facts;
  appendFileSync("hooks.log", JSON.stringify({ when, sequence, strategy, candidate, users }) + "\\n");
  if (existsSync("waits " + when)) return setInterval(() => undefined, 1000);
  if (!existsSync("fails " + when)) return console.log(facts.text);
  console.error("not today");
  process.exitCode = 7;
};
say();
`;

interface Seen {
  readonly when: string;
  readonly sequence: number;
  readonly strategy: string;
  readonly candidate: readonly string[];
  readonly users: readonly string[];
}

const hook = (when: string, name: string, more: object = {}) => ({
  ...{ when, name, command: ["node", "hook.js"], timeoutSeconds: 20 },
  ...more,
});
const ASK = hook("before begin", "ask");
const SMOKE = hook("before switch", "smoke", { strategies: ["blueGreen", "canary"] });
const CHAT = hook("after switch", "chat");

describeEndToEnd("hooks", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ topology: "split", environment: { hooks: [ASK, SMOKE, CHAT] } });
    world.write("hook.js", HOOK);
    world.write("hooks.log", "");
  });
  afterAll(async () => expect(await world.end()).toEqual([]));
  afterEach(() => {
    for (const when of ["before begin", "before switch", "after switch", "before converge"])
      for (const word of ["fails", "waits"]) rmSync(world.path(`${word} ${when}`), { force: true });
  });

  /** What the hooks of one sequence saw, in the order in which they ran. */
  function seen(sequence = world.record.sequence): Seen[] {
    const lines = world.text("hooks.log").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Seen).filter((each) => each.sequence === sequence);
  }

  /** Everything that users get while something goes on; "status 503" and the like where that is no release. */
  async function usersDuring<T>(work: Promise<T>): Promise<{ result: T; got: string[] }> {
    const got = new Set<string>();
    let over = false;
    const user = async (): Promise<void> => {
      for (; !over; await pause(5)) got.add(await ask(`${world.origin()}/version`));
    };
    const using = user();
    const result = await work.finally(() => (over = true));
    await using;
    return { result, got: [...got].sort() };
  }

  const smokeFailed = expect.stringMatching(
    /^hook 'smoke' before switch failed with exit code 7 in \d+\.\d s: not today$/,
  );

  it("run in their places: the smoke test meets the candidate before any user does", async () => {
    expect(await world.release("1.0.0")).toMatchObject({ outcome: "installed", to: "1.0.0-1" });
    // What fails after a phase stops nothing.
    world.write("fails after switch", "");
    const { result, got } = await usersDuring(world.release("1.1.0"));
    expect(result).toMatchObject({ outcome: "promoted", exitCode: 0, to: "1.1.0-2" });
    expect(got).toEqual(["1.0.0-1", "1.1.0-2"]);
    expect(seen()).toEqual([
      expect.objectContaining({ when: "before begin", candidate: ["nobody"], users: ["1.0.0-1"] }),
      expect.objectContaining({ when: "before switch", candidate: ["1.1.0-2"], users: ["1.0.0-1"] }),
      expect.objectContaining({ when: "after switch", candidate: ["1.1.0-2"], users: ["1.1.0-2"] }),
    ]);
  });

  it("reject a candidate that users then never meet; retry goes on with it", async () => {
    world.write("fails before switch", "");
    const { result, got } = await usersDuring(world.release("1.1.1", "1.1.0"));
    expect(result).toMatchObject({ exitCode: 4, outcome: "rejected", to: "1.1.0-2", reason: smokeFailed });
    expect(got).toEqual(["1.1.0-2"]);
    expect(seen().map(({ when }) => when)).toEqual(["before begin", "before switch"]);
    rmSync(world.path("fails before switch"));
    expect(await world.deploy("retry")).toMatchObject({ outcome: "promoted", to: "1.1.1-3" });
    expect(world.deposed()).toEqual([]);
  });

  it("run without the command, too: a pipeline's apply fails, and goes on once the hook passes", async () => {
    const { file, sha256 } = await world.pack("1.1.5", "1.1.0");
    const record = world.record;
    const sequence = record.sequence + 1;
    const active = record.active === "blue" ? "green" : "blue";
    const release = { version: "1.1.5", run: sequence, artifact: { url: `file://${file}`, sha256 } };
    const slots = { ...record.slots, [active]: release };
    world.record = { ...record, sequence, active, slots, previous: record.slots[record.active] };
    const live = await world.serving();

    world.write("fails before switch", "");
    const failed = await world.applyByHand();
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout + failed.stderr).toMatch(/exit status 4/);
    expect(failed.stdout + failed.stderr).toMatch(
      /hook 'smoke' before switch failed with exit code 7 .*: not today/,
    );
    expect(await world.serving()).toEqual(live);

    rmSync(world.path("fails before switch"));
    expect(await world.applyByHand()).toMatchObject({ exitCode: 0 });
    expect(await world.serving()).toEqual([`1.1.5-${sequence}`]);
  });

  it("that stop a recreate do so before anybody waits for it", async () => {
    const live = await world.serving();
    world.write("fails before begin", "");
    const { result, got } = await usersDuring(world.release("1.4.0", undefined, "--strategy", "recreate"));
    expect(result).toMatchObject({ exitCode: 4, to: live[0] });
    expect(got).toEqual(live);
    expect(seen().map(({ when }) => when)).toEqual(["before begin"]);
    expect(await world.status()).toEqual([
      expect.objectContaining({ traffic: expect.objectContaining({ mode: "serve" }) }),
    ]);
    rmSync(world.path("fails before begin"));
    const recreated = await world.release("1.4.1", "1.4.0", "--strategy", "recreate");
    expect(recreated).toMatchObject({ outcome: "recreated", exitCode: 0 });
    expect(seen().map(({ when, strategy }) => [when, strategy])).toEqual([
      ["before begin", "recreate"],
      ["after switch", "recreate"],
    ]);
  });

  it("that would leave a recreate's users waiting are refused: nothing is changed", async () => {
    world.changeEnvironment({ hooks: [ASK, hook("before switch", "smoke"), CHAT] });
    const record = world.record;
    const { file } = await world.pack("1.4.2", "1.4.0");
    const ran = await world.run(["release", "1.4.2", "--artifact", file, "--strategy", "recreate"]);
    expect(ran).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`hook "smoke" before switch can't stop`),
    });
    expect(world.record).toEqual(record);
  });

  it("may change from release to release; one that stops a convergence leaves users on the new release", async () => {
    const hooks = [hook("before switch", "other"), SMOKE, hook("before converge", "half")];
    world.changeEnvironment({ hooks });
    world.write("fails before converge", "");
    const { outcome, exitCode, sequence, reason } = await world.release("1.1.6", "1.1.0", "--converge");
    expect({ outcome, exitCode }).toEqual({ outcome: "frozen", exitCode: 6 });
    expect(reason).toMatch(
      /^1\.1\.6-\d+ is live in blue, but not everywhere: hook 'half' before converge failed with exit code 7 in .* s: not today$/,
    );
    expect(seen().map(({ when }) => when)).toEqual(["before switch", "before switch", "before converge"]);
    expect(await world.serving()).toEqual([`1.1.6-${sequence}`]);

    rmSync(world.path("fails before converge"));
    expect(await world.deploy("retry")).toMatchObject({ exitCode: 0, to: `1.1.6-${sequence}` });
    expect(await world.status()).toEqual([expect.objectContaining({ serving: ["blue", "green"] })]);
    expect(world.deposed()).toEqual([]);
  });

  it("end with the release that is interrupted, and stand in nobody's way out", async () => {
    world.changeEnvironment({ hooks: [ASK, SMOKE, CHAT] });
    const live = await world.serving();
    world.write("waits before switch", "");
    const sequence = world.record.sequence + 1;
    const running = await world.startRelease("1.1.7", "1.1.0");
    await until(() => seen(sequence).some(({ when }) => when === "before switch"), "the smoke test", {
      running,
    });
    running.signal("SIGINT");
    expect((await running.ended).exitCode).toBe(5);
    await until(
      () => !world.processes().some(({ command }) => command.includes("hook.js")),
      "the hook ended",
    );
    expect(await world.serving()).toEqual(live);

    world.write("fails before begin", "");
    const env = { BLUEGREEN_SKIP_HOOKS: "cancelled by hand" };
    const { exitCode } = await world.run(["abort"], env);
    expect(exitCode).toBe(0);
    expect(await world.serving()).toEqual(live);
    expect(existsSync(world.path("fails before begin"))).toBe(true);
    expect(seen()).toEqual([]);
  });
});
