/** What begin, switch, share and abort promise, one case each, in a simulated world. */
import { EXIT } from "../../../on-server/director/exit-code";
import { directorSpec } from "../../../release/director-spec";
import type { ScheduleChoice } from "../../../release/schedule";
import * as transitions from "../../../release/transitions";
import { Operator } from "./operator";
import { artifact, simulatedEnvironment, SimulatedWorld } from "./simulated-world";

const CANARY: ScheduleChoice = {
  strategy: "canary",
  steps: [5, 25, 50, 100],
  stepSeconds: 10,
  bakeSeconds: 10,
  drainSeconds: 1,
};

function newWorld(schedule?: ScheduleChoice): { world: SimulatedWorld; operator: Operator } {
  const world = new SimulatedWorld(simulatedEnvironment(schedule));
  return { world, operator: new Operator(world) };
}

/** 1.0.0 is live in blue. */
async function liveWorld(schedule?: ScheduleChoice) {
  const { world, operator } = newWorld(schedule);
  expect((await operator.release("1.0.0")).result).toMatchObject({
    exitCode: EXIT.done,
    outcome: "installed",
  });
  world.history.length = 0;
  return { world, operator };
}

const shares = ({ history }: SimulatedWorld) => history.map(({ share }) => share);

describe("begin", () => {
  test("goes on where the other slot is live with its recorded release", async () => {
    const { world, operator } = await liveWorld();
    const { record } = operator;
    const applied = await operator.release("1.1.0");
    expect(applied.result).toMatchObject({ exitCode: EXIT.done, outcome: "promoted" });
    expect(record.active).toBe("blue");
    expect(world.traffic).toMatchObject({ live: "green", share: 0, mode: "serve" });
    expect(world.state.stable?.releaseId).toBe("1.1.0-2");
  });

  test("changes nothing where the target is live with its recorded release", async () => {
    const { world, operator } = await liveWorld();
    const again = { ...operator.record, sequence: 2 };
    const { result } = await operator.apply(again);
    expect(result).toMatchObject({ exitCode: EXIT.done, outcome: "unchanged" });
    expect(world.history).toEqual([]);
  });

  test("keeps users on the closed page until the first release is verified", async () => {
    const { world, operator } = newWorld();
    await operator.release("1.0.0");
    expect(world.history).toEqual([
      { live: "blue", share: 0, offset: expect.any(Number), mode: "serve", fallback: false },
    ]);
  });

  test.each(["hold", "page"] as const)(
    "holds a recreated slot with %s until its new release is verified",
    async (whileDown) => {
      const { world, operator } = await liveWorld({ strategy: "recreate", whileDown, drainSeconds: 1 });
      const { result } = await operator.release("1.1.0");
      expect(result).toMatchObject({ exitCode: EXIT.done, outcome: "recreated" });
      expect(world.history.map(({ live, mode }) => `${live} ${mode}`)).toEqual([
        `blue ${whileDown}`,
        "blue serve",
      ]);
      expect(world.state.stable).toMatchObject({ slot: "blue", releaseId: "1.1.0-2" });
    },
  );

  test("refuses a record whose live release is not the observed one, and names both", async () => {
    const { world, operator } = await liveWorld();
    await operator.release("1.1.0");
    const stale = {
      ...operator.record,
      sequence: 3,
      active: "blue" as const,
      slots: { blue: { ...artifact("1.2.0"), run: 3 }, green: { ...artifact("1.0.9"), run: 1 } },
    };
    const { state } = world;
    const { result } = await operator.apply(stale);
    expect(result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0, saves: 0 });
    expect(result?.reason).toBe(
      "record 3 does not fit what users get: recorded 1.2.0-3 in blue and 1.0.9-1 in green, blue to be live; " +
        "observed 1.1.0-2 live in green. Is this checkout up to date?",
    );
    expect(world.state).toBe(state);
  });

  test("refuses a release into the live slot", async () => {
    const { operator } = await liveWorld();
    const { result } = await operator.apply({
      ...operator.record,
      sequence: 2,
      slots: { blue: { ...artifact("1.1.0"), run: 2 }, green: null },
    });
    expect(result?.exitCode).toBe(EXIT.refused);
    expect(result?.reason).toContain("A release goes to the idle slot, green");
  });

  test("refuses a recreate over something else than previous", async () => {
    const { operator } = await liveWorld({ strategy: "recreate" });
    const { result } = await operator.apply({
      ...operator.record,
      sequence: 2,
      slots: { blue: { ...artifact("1.1.0"), run: 2 }, green: null },
      previous: { ...artifact("0.9.0"), run: 1 },
    });
    expect(result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0 });
  });

  test("refuses a first release that shall stop at a share", async () => {
    const { world, operator } = newWorld();
    const { record } = await operator.release("1.0.0", { goal: "staged" });
    const { exitCode, reason } = await world.run("begin", { ...record, sequence: 2, goal: 25 });
    expect(exitCode).toBe(EXIT.refused);
    expect(reason).toContain("can't be held at 25 %");
  });

  test("refuses where the live slot answers as another release", async () => {
    const { world, operator } = await liveWorld();
    world.replaceByHand("blue", "1.0.1-hotfix");
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0, saves: 0 });
    expect(result?.reason).toBe(
      "blue should serve 1.0.0-1, but answers as 1.0.1-hotfix: it was changed by hand",
    );
  });

  test("lets a repair in while the live release is down", async () => {
    const { world, operator } = await liveWorld();
    world.setUp("blue", false);
    expect((await operator.release("1.0.1")).result).toMatchObject({ outcome: "promoted" });
    expect(world.events).toContainEqual({
      event: "live-down",
      facts: expect.objectContaining({ slot: "blue" }),
    });
  });

  test("does not take the traffic from a held candidate while stable is down", async () => {
    const { world, operator } = await liveWorld();
    await operator.release("1.1.0", { goal: 50 });
    world.setUp("blue", false);
    const { result } = await operator.release("1.2.0");
    expect(result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0 });
    expect(result?.reason).toContain("1.0.0-1 in blue ECONNREFUSED, and the other slot carries its traffic");
    expect(world.traffic.share).toBe(50);
  });

  test("takes the held candidate's traffic away before the next release is installed over it", async () => {
    const { world, operator } = await liveWorld();
    await operator.release("1.1.0", { goal: 50 });
    await operator.release("1.2.0", { goal: "staged" });
    expect(world.traffic).toMatchObject({ live: "blue", share: 0 });
    expect(world.violations).toEqual([]);
  });

  test("refuses another artifact under the id of the candidate that was verified", async () => {
    const { world, operator } = await liveWorld();
    await operator.release("1.1.0", { goal: 25 });
    const { record } = operator;
    const exchanged = { ...artifact("1.1.0"), run: 2, artifact: artifact("9.9.9").artifact };
    const { result } = await operator.apply({
      ...record,
      sequence: 3,
      goal: "live",
      slots: { ...record.slots, green: exchanged },
    });
    expect(result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0 });
    expect(result?.reason).toContain("another artifact takes a new run");
    expect(world.traffic.share).toBe(25);
  });
});

describe("the fence", () => {
  test("refuses a lower sequence and says how to go back", async () => {
    const { world, operator } = await liveWorld();
    const { record } = operator;
    await operator.release("1.1.0");
    for (const step of ["begin", "switch", "share"] as const) {
      const { exitCode, reason, saves } = await world.run(step, record);
      expect({ exitCode, saves }).toEqual({ exitCode: EXIT.refused, saves: 0 });
      expect(reason).toContain("record 1 is older than 2, which this proxy knows; use `bluegreen rollback`");
    }
  });

  test("refuses a finished sequence and names the next one", async () => {
    const { world, operator } = await liveWorld();
    const { exitCode, reason } = await world.run("begin", operator.record);
    expect(exitCode).toBe(EXIT.refused);
    expect(reason).toContain("the next change takes sequence 2");
  });

  test("refuses a known sequence with other content", async () => {
    const { world, operator } = await liveWorld();
    const { exitCode, reason } = await world.run("begin", { ...operator.record, goal: "staged" });
    expect(exitCode).toBe(EXIT.refused);
    expect(reason).toContain("record 1 is already known with other content");
  });

  test("refuses a switch that was not begun", async () => {
    const { world, operator } = await liveWorld();
    const { exitCode, reason, saves } = await world.run("switch", { ...operator.record, sequence: 2 });
    expect({ exitCode, saves }).toEqual({ exitCode: EXIT.refused, saves: 0 });
    expect(reason).toContain("record 2 was not begun on this proxy (1 was)");
  });

  test("refuses to run the switch of a failed sequence again", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.behaviours.set("1.1.0", "failsUnderTraffic");
    await operator.release("1.1.0");
    world.behaviours.set("1.1.0", "good");
    expect(await world.run("switch", operator.record)).toMatchObject({
      exitCode: EXIT.refused,
      trafficChanges: 0,
    });
  });
});

describe("a candidate", () => {
  test("that does not pass verification never gets a request", async () => {
    const { world, operator } = await liveWorld();
    world.behaviours.set("1.1.0", "unhealthy");
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.rejected, trafficChanges: 0 });
    expect(result?.reason).toMatch(/1\.1\.0-2 was not let in: web-2 .*; 1\.0\.0-1 keeps all requests/);
    expect(world.state).toMatchObject({ finished: true, failedDigests: [], candidate: null });
  });

  test("that the proxy itself finds down gets no request either", async () => {
    const { world, operator } = await liveWorld();
    world.proxyReachesEndpoints = false;
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.rejected, trafficChanges: 0 });
    expect(result?.reason).toContain("the proxy finds 0 of 2 endpoints of green healthy");
  });

  test("gets the steps of the schedule one after another, each for its time", async () => {
    const { world, operator } = await liveWorld(CANARY);
    const startedAt = world.now;
    await operator.release("1.1.0");
    expect(shares(world)).toEqual([5, 25, 50, 100, 0]);
    expect(world.now - startedAt).toBeGreaterThanOrEqual(40_000);
    expect(world.history.every(({ fallback, share }) => fallback === share > 0)).toBe(true);
  });

  test.each(["failsUnderTraffic", "diesUnderTraffic"] as const)(
    "that %s is taken back",
    async (behaviour) => {
      const { world, operator } = await liveWorld(CANARY);
      world.behaviours.set("1.1.0", behaviour);
      const { result } = await operator.release("1.1.0");
      expect(result).toMatchObject({ exitCode: EXIT.aborted });
      expect(result?.reason).toContain("traffic is back on 1.0.0-1");
      expect(world.traffic).toMatchObject({ live: "blue", share: 0, fallback: false });
      expect(shares(world)).toEqual([5, 0]);
    },
  );

  test("that misbehaves is left as it is where the schedule says freeze", async () => {
    const { world, operator } = await liveWorld({ ...CANARY, onFailure: "freeze" });
    world.behaviours.set("1.1.0", "failsUnderTraffic");
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.frozen });
    expect(world.traffic.share).toBe(5);
    expect(world.state).toMatchObject({ phase: "frozen", finished: true });
    expect((await world.run("abort", operator.record)).outcome).toBe("rolledBack");
    expect(world.traffic.share).toBe(0);
  });

  test("that misbehaves keeps its share where stable does not answer any more", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.behaviours.set("1.1.0", "diesUnderTraffic");
    await operator.release("1.1.0", { goal: "staged" });
    world.setUp("blue", false);
    const { result } = await operator.promote();
    expect(result).toMatchObject({ exitCode: EXIT.frozen });
    expect(result?.reason).toContain(
      "but 1.0.0-1 in blue ECONNREFUSED, so traffic stays as it is (5 % to green",
    );
    expect(world.traffic.share).toBe(5);
    world.setUp("blue", true);
    expect((await world.run("abort", operator.record)).outcome).toBe("rolledBack");
  });

  test("that was taken back is refused until a record says retry", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.behaviours.set("1.1.0", "failsUnderTraffic");
    await operator.release("1.1.0");
    const refused = await operator.release("1.1.0");
    expect(refused.result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0 });
    expect(refused.result?.reason).toContain("this artifact failed before, as 1.1.0-2");
    world.behaviours.set("1.1.0", "good");
    await operator.withdraw();
    expect((await operator.release("1.1.0", { retry: true })).result).toMatchObject({ outcome: "promoted" });
  });

  test("that failed once and then proved itself needs no retry any more", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.behaviours.set("1.1.0", "failsUnderTraffic");
    await operator.release("1.1.0");
    world.behaviours.set("1.1.0", "good");
    await operator.withdraw();
    await operator.release("1.1.0", { retry: true });
    await operator.release("1.2.0");
    expect((await operator.release("1.1.0")).result).toMatchObject({ outcome: "promoted" });
  });

  test("is not committed without a bake, even if a crash left it with all requests", async () => {
    const { world, operator } = await liveWorld({ strategy: "blueGreen", bakeSeconds: 30 });
    world.crashOnce = () => world.traffic.share === 100;
    expect((await operator.release("1.1.0")).result?.exitCode).toBe("crashed");
    const before = world.now;
    expect((await operator.retry()).result).toMatchObject({ outcome: "promoted" });
    expect(world.now - before).toBeGreaterThanOrEqual(30_000);
  });
});

describe("a held goal", () => {
  test("stops at its share, and a promotion goes on from there without a step back", async () => {
    const { world, operator } = await liveWorld(CANARY);
    expect((await operator.release("1.1.0", { goal: 30 })).result).toMatchObject({ outcome: "held" });
    expect(shares(world)).toEqual([5, 25, 30]);
    world.history.length = 0;
    expect((await operator.promote(60)).result).toMatchObject({ outcome: "held" });
    expect(shares(world)).toEqual([50, 60]);
    world.history.length = 0;
    expect((await operator.promote()).result).toMatchObject({ outcome: "promoted" });
    expect(shares(world)).toEqual([100, 0]);
    expect(world.state.stable?.releaseId).toBe("1.1.0-2");
  });

  test("that a record lowers is lowered", async () => {
    const { world, operator } = await liveWorld(CANARY);
    await operator.release("1.1.0", { goal: 50 });
    const { record } = operator;
    expect((await operator.apply({ ...record, sequence: 3, goal: 10 })).result).toMatchObject({
      outcome: "held",
    });
    expect(world.traffic.share).toBe(10);
    const { result } = await operator.apply({ ...record, sequence: 4, goal: "staged" });
    expect(result).toMatchObject({ outcome: "staged" });
    expect(world.traffic).toMatchObject({ live: "blue", share: 0 });
  });

  test("of staged verifies the candidate and gives it nothing", async () => {
    const { world, operator } = await liveWorld();
    expect((await operator.release("1.1.0", { goal: "staged" })).result).toMatchObject({ outcome: "staged" });
    expect(world.history).toEqual([]);
    expect((await operator.promote()).result).toMatchObject({ outcome: "promoted" });
  });
});

describe("after a crash", () => {
  test("the switch resumes its share, and its deadline is not prolonged", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.crashOnce = () => world.traffic.share === 25;
    expect((await operator.release("1.1.0")).result?.exitCode).toBe("crashed");
    const { deadline } = world.state;
    world.now += 4_000;
    world.history.length = 0;
    world.crashOnce = () => world.traffic.share === 50;
    expect((await world.run("switch", operator.record)).exitCode).toBe("crashed");
    expect(world.now).toBe(deadline);
    expect(await world.run("switch", operator.record)).toMatchObject({ outcome: "promoted" });
    expect(shares(world)).toEqual([50, 100, 0]);
  });

  test("a share that is resumed after the time of day was put back lasts no longer than its time", async () => {
    const { world, operator } = await liveWorld(CANARY);
    world.crashOnce = () => world.traffic.share === 25;
    expect((await operator.release("1.1.0")).result?.exitCode).toBe("crashed");
    const resumedAt = (world.now -= 3_600_000);
    world.crashOnce = () => world.traffic.share === 50;
    expect((await world.run("switch", operator.record)).exitCode).toBe("crashed");
    expect(world.now).toBe(resumedAt + 10_000);
  });

  test("a half-finished recreate is retried, although its slot already answers as the new release", async () => {
    const { world, operator } = await liveWorld({ strategy: "recreate", drainSeconds: 1 });
    // begin's four effects, then the switch dies before its first.
    world.crash = { effect: 5, when: "before" };
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
    world.crashOnce = () => world.traffic.share === 0;
    expect((await world.run("abort", operator.record)).exitCode).toBe("crashed");
    await world.run("abort", operator.record);
    expect((await operator.release("1.1.0")).result?.reason).toContain("failed before");
  });
});

describe("share", () => {
  const schedule: ScheduleChoice = { strategy: "blueGreen", bakeSeconds: 1, afterPromotion: "converge" };

  test("gives half of the requests to the second half, and either half stands in for the other", async () => {
    const { world, operator } = await liveWorld();
    const { step, result } = await operator.release("1.1.0", { schedule });
    expect({ step, ...result }).toMatchObject({ step: "share", outcome: "shared" });
    expect(world.traffic).toMatchObject({ live: "green", share: 50, fallback: true });
    expect(world.state).toMatchObject({ shared: true, finished: true });
  });

  test("waits for the old release's requests before its servers get the new one, even after a crash", async () => {
    const { world, operator } = await liveWorld();
    world.crashOnce = () => world.state.stable?.releaseId === "1.1.0-2" && world.traffic.share === 0;
    const unbaked = { ...schedule, bakeSeconds: 0 };
    expect((await operator.release("1.1.0", { schedule: unbaked })).result?.exitCode).toBe("crashed");
    expect((await operator.retry()).result).toMatchObject({ outcome: "shared" });
    expect(world.violations).toEqual([]);
  });

  test("never moves traffic off the first half when the second does not come up", async () => {
    const { world, operator } = await liveWorld();
    const { record } = await operator.release("1.1.0", { goal: "staged", schedule });
    const live = { ...record, sequence: 3, goal: "live" as const };
    await world.run("begin", live);
    await world.run("switch", live);
    world.history.length = 0;
    const { exitCode, reason } = await world.run("share", live);
    expect(exitCode).toBe(EXIT.frozen);
    expect(reason).toContain("1.1.0-2 keeps serving from green alone");
    expect(world.history).toEqual([]);
  });

  test("is refused where the recorded release is not stable", async () => {
    const { world, operator } = await liveWorld();
    const { record } = await operator.release("1.1.0", { goal: 25 });
    expect(await world.run("share", record)).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0 });
  });
});

describe("abort", () => {
  test("before a sequence has begun keeps it from beginning", async () => {
    const { world, operator } = await liveWorld();
    const next = { ...operator.record, sequence: 2 };
    expect((await world.run("abort", next)).exitCode).toBe(EXIT.done);
    const begun = await world.run("begin", next);
    expect(begun).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0 });
    expect((await operator.apply({ ...next, sequence: 3 })).result?.exitCode).toBe(EXIT.done);
  });

  test("between begin and switch ends the sequence", async () => {
    const { world, operator } = await liveWorld();
    const { record } = await operator.release("1.1.0", { goal: "staged" });
    const live = { ...record, sequence: 3, goal: "live" as const };
    await world.run("begin", live);
    await world.run("abort", live);
    expect(await world.run("switch", live)).toMatchObject({ exitCode: EXIT.aborted, trafficChanges: 0 });
  });

  test.each([
    ["verifies", 0],
    ["shifts", 15_000],
    ["bakes", 35_000],
  ])("while the director %s leaves all requests with stable", async (_, abortAfterMs) => {
    const { world, operator } = await liveWorld(CANARY);
    world.abortAfterMs = abortAfterMs;
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.aborted });
    expect(world.traffic).toMatchObject({ live: "blue", share: 0, mode: "serve" });
    expect(await world.run("abort", operator.record)).toMatchObject({
      outcome: "unchanged",
      trafficChanges: 0,
    });
  });

  test("ends the holding of requests where the old release runs", async () => {
    const { world, operator } = await liveWorld({ strategy: "recreate", drainSeconds: 1 });
    const record = { ...(await operator.release("1.0.1")).record };
    await world.run("begin", {
      ...record,
      sequence: 3,
      slots: { blue: { ...artifact("1.2.0"), run: 3 }, green: null },
      previous: record.slots.blue,
    });
    expect(world.traffic.mode).toBe("hold");
    expect((await world.run("abort", operator.record)).outcome).toBe("rolledBack");
    expect(world.traffic).toMatchObject({ live: "blue", mode: "serve" });
  });

  test("waits for what still runs on the candidate, at most for the time to drain", async () => {
    const { world, operator } = await liveWorld(CANARY);
    await operator.release("1.1.0", { goal: 50 });
    world.events.length = 0;
    await world.run("abort", operator.record);
    expect(world.events.at(-1)).toEqual({
      event: "drained",
      facts: { slot: "green", stillRunning: 0, cut: false },
    });
  });

  test("puts right what somebody changed by hand, even if all requests still go to stable", async () => {
    const { world, operator } = await liveWorld();
    const { record } = operator;
    world.traffic = { ...world.traffic, offset: 77, fallback: true };
    expect((await operator.release("1.1.0")).result?.exitCode).toBe(EXIT.refused);
    expect((await world.run("abort", record)).exitCode).toBe(EXIT.done);
    expect((await operator.release("1.1.0")).result?.exitCode).toBe(EXIT.done);
  });

  test("closes a proxy that somebody opened before the first release", async () => {
    const { world, operator } = newWorld();
    world.traffic = { ...world.traffic, live: "green" };
    const { result } = await operator.release("1.0.0");
    expect(result?.reason).toContain("`bluegreen abort` puts traffic back on stable");
    expect((await world.run("abort", operator.record)).exitCode).toBe(EXIT.done);
    expect(world.traffic.live).toBeNull();
    expect((await operator.release("1.0.0")).result?.exitCode).toBe(EXIT.done);
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
    expect(shares(world)).toEqual([100, 0]);
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
  expect(world.traffic).toMatchObject({ live: "blue", share: 0 });
  expect(world.state.stable?.releaseId).toBe("1.0.0-1");
});

describe("a heal", () => {
  /** 1.1.0 is live in green (web-2, web-4), 1.0.0 retained in blue (web-1, web-3); web-2 is lost. */
  async function hurtWorld(lost: readonly string[] = ["web-2"]) {
    const { world, operator } = await liveWorld();
    await operator.release("1.1.0");
    lost.forEach((server) => world.lose(server));
    world.history.length = 0;
    return { world, operator };
  }

  test("takes the server out of rotation, and puts it back once it is verified; the slots' traffic stays", async () => {
    const { world, operator } = await hurtWorld();
    const record = { ...operator.record, sequence: 3, heals: { "web-2": 3 } };
    expect(await world.run("begin", record)).toMatchObject({ exitCode: EXIT.done });
    expect([...world.excluded.green]).toEqual(["web-2"]);
    expect(world.install(record)).toBe(true);
    expect(await world.run("switch", record)).toMatchObject({
      exitCode: EXIT.done,
      outcome: "healed",
      reason: "web-2 has 1.1.0-2 again",
    });
    expect(world.runs("web-2")).toEqual(["1.1.0-2"]);
    expect(world.excluded.green.size).toBe(0);
    expect(world.history).toEqual([]);
    expect(world.state).toMatchObject({ finished: true, phase: "stable", stable: { releaseId: "1.1.0-2" } });
    expect(world.violations).toEqual([]);
  });

  test("gives a server of the idle slot the retained release, and a rollback to it is at once", async () => {
    const { world, operator } = await hurtWorld(["web-1"]);
    expect((await operator.heal(["web-1"])).result).toMatchObject({ exitCode: EXIT.done, outcome: "healed" });
    expect(world.runs("web-1")).toEqual(["1.0.0-1"]);
    expect((await operator.rollback()).result).toMatchObject({ exitCode: EXIT.done, outcome: "promoted" });
    expect(world.state.stable?.releaseId).toBe("1.0.0-1");
  });

  test("heals several servers at once, and all of a slot that is down", async () => {
    const { world, operator } = await hurtWorld(["web-2", "web-4"]);
    const { result } = await operator.heal(["web-2", "web-4"]);
    expect(result).toMatchObject({ exitCode: EXIT.done, reason: "web-2, web-4 have 1.1.0-2 again" });
    expect(world.stableIsEverywhere).toBe(true);
  });

  test("of a healthy server among others is harmless", async () => {
    const { world, operator } = await hurtWorld([]);
    expect((await operator.heal(["web-4"])).result).toMatchObject({ exitCode: EXIT.done, outcome: "healed" });
    expect(world.violations).toEqual([]);
  });

  test("is refused where it would leave nobody who serves, and its servers are well", async () => {
    const { world, operator } = await hurtWorld();
    const { step, result } = await operator.heal(["web-2", "web-4"]);
    expect({ step, ...result }).toMatchObject({ step: "begin", exitCode: EXIT.refused, saves: 0 });
    expect(result?.reason).toBe(
      "nothing else serves 1.1.0-2 than web-2, web-4, and well: there is nothing to heal",
    );
    expect(world.excluded.green.size).toBe(0);
  });

  test("that was refused, and is tried again, leaves in rotation who can't be spared", async () => {
    const { world, operator } = await hurtWorld();
    await operator.heal(["web-2", "web-4"]);
    await expect(operator.release("1.2.0")).rejects.toThrow("heal first");
    world.lose("web-2");
    const record = transitions.retry(operator.record, world.observed, true);
    expect(await world.run("begin", record)).toMatchObject({ exitCode: EXIT.done });
    expect([...world.excluded.green]).toEqual(["web-2"]);
    world.install(record);
    expect(await world.run("switch", record)).toMatchObject({ exitCode: EXIT.done, outcome: "healed" });
    expect(world.stableIsEverywhere).toBe(true);
    expect(world.violations).toEqual([]);
  });

  test("that fails leaves its server out of rotation, and the others serve; a retry heals again", async () => {
    const { world, operator } = await hurtWorld();
    world.behaviours.set("1.1.0", "unhealthy");
    const { result } = await operator.heal(["web-2"]);
    expect(result).toMatchObject({ exitCode: EXIT.rejected, trafficChanges: 0 });
    expect(result?.reason).toMatch(
      /^1\.1\.0-2 was not healed in green: web-2 .*; web-2 gets no requests there, the others go on: `bluegreen retry` heals again$/,
    );
    expect([...world.excluded.green]).toEqual(["web-2"]);
    expect(world.traffic).toMatchObject({ live: "green", share: 0 });

    world.behaviours.set("1.1.0", "good");
    world.lose("web-2");
    const retried = await operator.retry();
    expect(retried).toMatchObject({ record: { heals: { "web-2": 4 } }, result: { outcome: "healed" } });
    expect(world.excluded.green.size).toBe(0);
  });

  test("that failed does not keep a server out of a later release", async () => {
    const { world, operator } = await hurtWorld(["web-1"]);
    expect((await operator.heal(["web-1"], { installFails: true })).step).toBe("install");
    expect([...world.excluded.blue]).toEqual(["web-1"]);
    expect((await operator.release("1.2.0")).result).toMatchObject({ exitCode: EXIT.done });
    expect(world.excluded.blue.size).toBe(0);
    expect(world.violations).toEqual([]);
  });

  test.each(["before", "after"] as const)("goes on after a crash %s any effect, by a retry", async (when) => {
    for (let effect = 1; ; effect += 1) {
      const { world, operator } = await hurtWorld();
      world.crash = { effect, when };
      const { result } = await operator.heal(["web-2"]);
      world.crash = null;
      if (result?.exitCode === EXIT.done) {
        expect(effect).toBeGreaterThan(4);
        break;
      }
      expect(result?.exitCode).toBe("crashed");
      expect(world.traffic).toMatchObject({ live: "green", share: 0 });
      expect((await operator.retry()).result).toMatchObject({ exitCode: EXIT.done, outcome: "healed" });
      expect(world.excluded.green.size).toBe(0);
      expect(world.violations).toEqual([]);
    }
  });

  test("goes on after a crash although its server was the only one, and is well by now", async () => {
    const { world, operator } = await hurtWorld(["web-2", "web-4"]);
    const record = { ...operator.record, sequence: 3, heals: { "web-2": 3, "web-4": 3 } };
    await world.run("begin", record);
    world.install(record);
    operator.record = record;
    expect((await operator.retry()).result).toMatchObject({ exitCode: EXIT.done, outcome: "healed" });
    expect(world.excluded.green.size).toBe(0);
  });

  test("that is aborted ends, and moves no traffic", async () => {
    const { world, operator } = await hurtWorld();
    world.abortAfterMs = 50;
    const { result, record } = await operator.heal(["web-2"]);
    world.abortAfterMs = null;
    expect(result).toMatchObject({ exitCode: EXIT.aborted, trafficChanges: 0 });
    expect(await world.run("abort", record)).toMatchObject({ outcome: "unchanged", trafficChanges: 0 });
    const begun = { ...record, sequence: 4, heals: { "web-2": 4 } };
    await world.run("begin", begun);
    expect(await world.run("abort", begun)).toMatchObject({
      exitCode: EXIT.done,
      reason: "web-2 was not healed; the others go on",
      trafficChanges: 0,
    });
    expect(await world.run("switch", begun)).toMatchObject({ exitCode: EXIT.aborted });
  });

  test.each([
    ["the second half", "web-1"],
    ["the first half", "web-2"],
  ])("keeps a convergence: both halves serve all the while (%s)", async (_, server) => {
    const { world, operator } = newWorld({
      strategy: "blueGreen",
      bakeSeconds: 1,
      drainSeconds: 1,
      afterPromotion: "converge",
    });
    await operator.release("1.0.0");
    await operator.release("1.1.0");
    expect(world.traffic).toMatchObject({ live: "green", share: 50 });
    world.lose(server);
    world.history.length = 0;
    const { step, result } = await operator.heal([server]);
    expect({ step, ...result }).toMatchObject({ step: "switch", exitCode: EXIT.done, outcome: "healed" });
    expect(world.history).toEqual([]);
    expect(world.state.shared).toBe(true);
    expect(world.runs(server)).toEqual(["1.1.0-2"]);
    expect((await operator.release("1.2.0")).result).toMatchObject({
      exitCode: EXIT.done,
      outcome: "shared",
    });
    expect(world.violations).toEqual([]);
  });

  test("keeps a convergence of the first release, whose other slot has none of its own", async () => {
    const { world, operator } = newWorld({
      strategy: "blueGreen",
      drainSeconds: 1,
      afterPromotion: "converge",
    });
    await operator.release("1.0.0");
    world.lose("web-2");
    expect((await operator.heal(["web-2"])).result).toMatchObject({ exitCode: EXIT.done, outcome: "healed" });
    expect(["web-2", "web-4"].map((server) => world.runs(server))).toEqual([["1.0.0-1"], ["1.0.0-1"]]);
    expect(world.state.shared).toBe(true);
  });

  test("of a server that the proxy does not know sends to base", async () => {
    const { world, operator } = await hurtWorld([]);
    const record = { ...operator.record, sequence: 3, heals: { "web-2": 3 } };
    const spec = directorSpec(world.environment, record, 0);
    const added = { server: "web-6", host: "127.0.0.1", port: 18_230 };
    world.unknown.add("web-6");
    const endpoints = { ...spec.endpoints, green: [...spec.endpoints.green, added] };
    const { exitCode, reason } = await world.runSpec("begin", { ...spec, endpoints, healing: ["web-6"] });
    expect({ exitCode, reason }).toEqual({
      exitCode: EXIT.refused,
      reason: "proxy-1 does not know web-6 yet: deploy the base stack first",
    });
  });
});
