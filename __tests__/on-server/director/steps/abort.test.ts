/** What abort promises, one case each, in a simulated world. */
import { EXIT } from "../../../../release/exit-code";
import { artifact } from "../simulated-world";
import { CANARY, liveWorld, newWorld } from "./worlds";

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
    expect(world.traffic).toMatchObject({ live: "blue", weight: 0, mode: "serve" });
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
    expect(result?.reason).toContain("`bluegreen abort` returns all requests to stable");
    expect((await world.run("abort", operator.record)).exitCode).toBe(EXIT.done);
    expect(world.traffic.live).toBeNull();
    expect((await operator.release("1.0.0")).result?.exitCode).toBe(EXIT.done);
  });
});
