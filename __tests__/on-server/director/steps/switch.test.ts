/** What switch promises: one candidate, several steps, several proxies, one case each, in a simulated world. */
import { directorSpec } from "../../../../configuration/director-spec";
import { EXIT } from "../../../../release/exit-code";
import type { ScheduleChoice } from "../../../../release/schedule";
import { CandidateWatch } from "../../../../on-server/director/watch";
import { Operator } from "../operator";
import { simulatedEnvironment, SimulatedWorld } from "../simulated-world";
import { CANARY, liveWorld, weights } from "./worlds";

describe("a candidate", () => {
  test("that does not pass verification never gets a request", async () => {
    const { world, operator } = await liveWorld();
    world.behaviours.set("1.1.0", "unhealthy");
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.rejected, trafficChanges: 0 });
    expect(result?.reason).toMatch(/1\.1\.0-2 got no requests: web-2 .*; 1\.0\.0-1 keeps all requests/);
    expect(world.state).toMatchObject({ finished: true, failedDigests: [], candidate: null });
  });

  test("that the proxy itself finds down gets no request either", async () => {
    const { world, operator } = await liveWorld();
    world.proxyReachesEndpoints = false;
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.rejected, trafficChanges: 0 });
    expect(result?.reason).toContain("proxy-1 finds only 0 of 2 endpoints of green healthy");
  });

  test("gets the steps of the schedule one after another, each for its time", async () => {
    const { world, operator } = await liveWorld(CANARY);
    const startedAt = world.now;
    await operator.release("1.1.0");
    expect(weights(world)).toEqual([5, 25, 50, 100, 0]);
    // From the beginning of each.
    expect(world.measured).toEqual([true, true, true, true, false]);
    expect(world.now - startedAt).toBeGreaterThanOrEqual(40_000);
    expect(world.history.every(({ fallback, weight }) => fallback === weight > 0)).toBe(true);
  });

  test.each(["failsUnderTraffic", "diesUnderTraffic"] as const)(
    "that %s is taken back",
    async (behaviour) => {
      const { world, operator } = await liveWorld(CANARY);
      world.behaviours.set("1.1.0", behaviour);
      const { result } = await operator.release("1.1.0");
      expect(result).toMatchObject({ exitCode: EXIT.aborted });
      expect(result?.reason).toContain("traffic is back on 1.0.0-1");
      expect(world.traffic).toMatchObject({ live: "blue", weight: 0, fallback: false });
      expect(weights(world)).toEqual([5, 0]);
    },
  );

  test.each([
    ["than stable is at the same time", CANARY, [5, 0]],
    ["than stable was before", { ...CANARY, steps: [100] }, [100, 0]],
  ])("that is slower %s is taken back", async (_, schedule, expected) => {
    const { world, operator } = await liveWorld(schedule);
    world.behaviours.set("1.1.0", "slowUnderTraffic");
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.aborted });
    expect(result?.reason).toContain("p95 is 992 ms, stable's was 5 ms");
    expect(weights(world)).toEqual(expected);
  });

  test.each([
    ["promoted", "good", {}, EXIT.done],
    ["paused", "good", { goal: 25 }, EXIT.done],
    ["staged", "good", { goal: "staged" }, EXIT.done],
    ["not let in", "unhealthy", {}, EXIT.rejected],
    ["taken back", "slowUnderTraffic", {}, EXIT.aborted],
    ["frozen", "failsUnderTraffic", { onFailure: "freeze" }, EXIT.frozen],
  ] as const)("costs the proxy nothing more as soon as it is %s", async (_, behaviour, how, exitCode) => {
    const { onFailure, ...goal } = { onFailure: "rollback", ...how };
    const { world, operator } = await liveWorld({ ...CANARY, onFailure } as ScheduleChoice);
    world.behaviours.set("1.1.0", behaviour);
    expect((await operator.release("1.1.0", goal)).result).toMatchObject({ exitCode });
    expect(world.measuresLatencies).toBe(false);
  });

  test("that misbehaves is left as it is where the schedule says freeze", async () => {
    const { world, operator } = await liveWorld({ ...CANARY, onFailure: "freeze" });
    world.behaviours.set("1.1.0", "failsUnderTraffic");
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.frozen });
    expect(world.traffic.weight).toBe(5);
    expect(world.state).toMatchObject({ phase: "frozen", finished: true });
    expect((await world.run("abort", operator.record)).outcome).toBe("rolledBack");
    expect(world.traffic.weight).toBe(0);
  });

  test("that misbehaves keeps its weight where stable does not answer any more", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.behaviours.set("1.1.0", "diesUnderTraffic");
    await operator.release("1.1.0", { goal: "staged" });
    world.setUp("blue", false);
    const { result } = await operator.promote();
    expect(result).toMatchObject({ exitCode: EXIT.frozen });
    expect(result?.reason).toMatch(
      /can't roll back, 1\.0\.0-1 in blue is not healthy: web-1 .*: ECONNREFUSED\. Traffic stays as it is \(5 % to green/,
    );
    expect(world.traffic.weight).toBe(5);
    world.setUp("blue", true);
    expect((await world.run("abort", operator.record)).outcome).toBe("rolledBack");
  });

  test("that was taken back is refused until a record says retry", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.behaviours.set("1.1.0", "diesUnderTraffic");
    await operator.release("1.1.0");
    const refused = await operator.release("1.1.0");
    expect(refused.result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0 });
    expect(refused.result?.reason).toContain("this artifact failed before, as 1.1.0-2");
    world.behaviours.set("1.1.0", "good");
    await operator.cancel();
    expect((await operator.release("1.1.0", { retry: true })).result).toMatchObject({ outcome: "promoted" });
  });

  test("that only statistics found worse may be released again without retry", async () => {
    const { world, operator } = await liveWorld(CANARY);
    const watched = jest.spyOn(CandidateWatch.prototype, "until");
    watched.mockResolvedValueOnce({
      passed: false,
      reason: "1.1.0-2: 12 of 900 answers failed",
      sure: false,
    });
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.aborted });
    expect(result?.reason).toBe(
      "1.1.0-2: 12 of 900 answers failed; traffic is back on 1.0.0-1. The same artifact may be released again",
    );
    expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
    expect(world.state.failedDigests).toEqual([]);
    watched.mockRestore();
    expect((await operator.release("1.1.0")).result).toMatchObject({ outcome: "promoted" });
  });

  test("that failed for certain before stays refused after a retry that statistics ended", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.behaviours.set("1.1.0", "diesUnderTraffic");
    await operator.release("1.1.0");
    const watched = jest.spyOn(CandidateWatch.prototype, "until");
    watched.mockResolvedValueOnce({ passed: false, reason: "12 of 900 answers failed", sure: false });
    await operator.release("1.1.0", { retry: true });
    watched.mockRestore();
    expect((await operator.release("1.1.0")).result?.reason).toContain("this artifact failed before");
  });

  test("that failed once and then proved itself needs no retry any more", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.behaviours.set("1.1.0", "failsUnderTraffic");
    await operator.release("1.1.0");
    world.behaviours.set("1.1.0", "good");
    await operator.cancel();
    await operator.release("1.1.0", { retry: true });
    await operator.release("1.2.0");
    expect((await operator.release("1.1.0")).result).toMatchObject({ outcome: "promoted" });
  });

  test("is not committed without a bake, even if a crash left it with all requests", async () => {
    const { world, operator } = await liveWorld({ strategy: "blueGreen", bakeSeconds: 30 });
    world.crashOnce = () => world.traffic.weight === 100;
    expect((await operator.release("1.1.0")).result?.exitCode).toBe("crashed");
    const before = world.now;
    expect((await operator.retry()).result).toMatchObject({ outcome: "promoted" });
    expect(world.now - before).toBeGreaterThanOrEqual(30_000);
  });
});

describe("a held goal", () => {
  test("stops at its weight, and a promotion goes on from there without a step back", async () => {
    const { world, operator } = await liveWorld(CANARY);
    expect((await operator.release("1.1.0", { goal: 30 })).result).toMatchObject({ outcome: "paused" });
    expect(weights(world)).toEqual([5, 25, 30]);
    world.history.length = 0;
    expect((await operator.promote(60)).result).toMatchObject({ outcome: "paused" });
    expect(weights(world)).toEqual([50, 60]);
    world.history.length = 0;
    expect((await operator.promote()).result).toMatchObject({ outcome: "promoted" });
    expect(weights(world)).toEqual([100, 0]);
    expect(world.state.stable?.releaseId).toBe("1.1.0-2");
  });

  test("that a record lowers is lowered", async () => {
    const { world, operator } = await liveWorld(CANARY);
    await operator.release("1.1.0", { goal: 50 });
    const { record } = operator;
    expect((await operator.apply({ ...record, sequence: 3, goal: 10 })).result).toMatchObject({
      outcome: "paused",
    });
    expect(world.traffic.weight).toBe(10);
    const { result } = await operator.apply({ ...record, sequence: 4, goal: "staged" });
    expect(result).toMatchObject({ outcome: "staged" });
    expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
  });

  test("of staged verifies the candidate and gives it nothing", async () => {
    const { world, operator } = await liveWorld();
    expect((await operator.release("1.1.0", { goal: "staged" })).result).toMatchObject({ outcome: "staged" });
    expect(world.history).toEqual([]);
    expect((await operator.promote()).result).toMatchObject({ outcome: "promoted" });
  });
});

describe("after a crash", () => {
  test("the switch resumes its weight, and its deadline is not prolonged", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.crashOnce = () => world.traffic.weight === 25;
    expect((await operator.release("1.1.0")).result?.exitCode).toBe("crashed");
    const { deadline } = world.state;
    world.now += 4_000;
    world.history.length = 0;
    world.crashOnce = () => world.traffic.weight === 50;
    expect((await world.run("switch", operator.record)).exitCode).toBe("crashed");
    expect(world.now).toBe(deadline);
    expect(await world.run("switch", operator.record)).toMatchObject({ outcome: "promoted" });
    expect(weights(world)).toEqual([50, 100, 0]);
  });

  test("a weight that is resumed after the time of day was put back lasts no longer than its time", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.crashOnce = () => world.traffic.weight === 25;
    expect((await operator.release("1.1.0")).result?.exitCode).toBe("crashed");
    const resumedAt = (world.now -= 3_600_000);
    world.crashOnce = () => world.traffic.weight === 50;
    expect((await world.run("switch", operator.record)).exitCode).toBe("crashed");
    expect(world.now).toBe(resumedAt + 10_000);
  });

  test("a half-finished recreate is retried, although its slot already answers as the new release", async () => {
    const { world, operator } = await liveWorld({ strategy: "recreate", drainSeconds: 1 });
    // begin's eight effects, then the switch dies before its first.
    world.crash = { effect: 9, when: "before" };
    expect(await operator.release("1.1.0")).toMatchObject({
      step: "switch",
      result: { exitCode: "crashed" },
    });
    world.crash = null;
    expect(world.answers("blue", "1.1.0-2")).toBe(true);
    expect((await operator.retry()).result).toMatchObject({ outcome: "recreated" });
  });

  test("a recreate that failed on one server is not called back on stable", async () => {
    const { world, operator } = await liveWorld({ strategy: "recreate", drainSeconds: 1 });
    expect((await operator.release("1.1.0", { installFails: true })).step).toBe("install");
    expect(await world.run("abort", operator.record)).toMatchObject({
      exitCode: EXIT.frozen,
      trafficChanges: 0,
    });
    expect((await operator.release("1.1.1")).result).toMatchObject({ outcome: "recreated" });
  });

  test("an abort that crashed itself still puts the artifact into quarantine", async () => {
    const { world, operator } = await liveWorld(CANARY);
    await operator.release("1.1.0", { goal: 25 });
    world.crashOnce = () => world.traffic.weight === 0;
    expect((await world.run("abort", operator.record)).exitCode).toBe("crashed");
    await world.run("abort", operator.record);
    expect((await operator.release("1.1.0")).result?.reason).toContain("failed before");
  });
});

describe("several proxies", () => {
  const environment = simulatedEnvironment(CANARY, 2);

  test("the first carries the schedule, later ones verify and follow at once", async () => {
    const world = new SimulatedWorld(environment, 1);
    const operator = new Operator(world);
    await operator.release("1.0.0");
    world.history.length = 0;
    await operator.release("1.1.0");
    expect(weights(world)).toEqual([100, 0]);
  });

  test("all give a client the same side, because the first bucket comes from the release id", async () => {
    const offsets = await Promise.all(
      [0, 1].map(async (index) => {
        const world = new SimulatedWorld(environment, index);
        const operator = new Operator(world);
        await operator.release("1.0.0");
        await operator.release("1.1.0", { goal: 25 });
        return world.traffic;
      }),
    );
    expect(offsets[0]).toEqual(offsets[1]);
  });

  test("retry and rollback go on where a later proxy rejected what the first serves", async () => {
    const [first, second] = [new SimulatedWorld(environment, 0), new SimulatedWorld(environment, 1)];
    const operators = [new Operator(first), new Operator(second)];
    for (const operator of operators) await operator.release("1.0.0");
    const { record } = await operators[0]!.release("1.1.0");
    second.behaviours.set("1.1.0", "unhealthy");
    expect((await operators[1]!.apply(record)).result).toMatchObject({ exitCode: EXIT.rejected });
    const again = { ...record, sequence: 3, retry: true };
    expect((await operators[0]!.apply(again)).result).toMatchObject({ outcome: "unchanged" });
    second.setUp("green", true);
    expect(directorSpec(environment, again, 1).proxy.index).toBe(1);
    expect((await second.run("begin", again)).exitCode).toBe(EXIT.done);
  });
});

test("a proxy that refuses what it is told leaves the candidate without a promotion", async () => {
  const { world, operator } = await liveWorld();
  await operator.release("1.1.0", { goal: "staged" });
  world.proxyRefuses = true;
  expect((await operator.promote()).result?.exitCode).toBe(EXIT.unexpected);
  expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
  expect(world.state.stable?.releaseId).toBe("1.0.0-1");
});
