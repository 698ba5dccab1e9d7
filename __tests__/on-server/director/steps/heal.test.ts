/** What a heal promises, one case each, in a simulated world. */
import { directorSpec } from "../../../../configuration/director-spec";
import { EXIT } from "../../../../release/exit-code";
import * as transitions from "../../../../release/transitions";
import { liveWorld, newWorld } from "./worlds";

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
      "1.1.0-2 is only served by web-2, web-4 and is healthy there: there is nothing to heal",
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
      /^web-2 was not healed \(1\.1\.0-2 in green\): web-2 .*; web-2 gets no requests there, the other servers keep serving\. Next: `bluegreen retry`$/,
    );
    expect([...world.excluded.green]).toEqual(["web-2"]);
    expect(world.traffic).toMatchObject({ live: "green", weight: 0 });

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
      expect(world.traffic).toMatchObject({ live: "green", weight: 0 });
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
      reason: "heal of web-2 aborted; the other servers keep serving",
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
    expect(world.traffic).toMatchObject({ live: "green", weight: 50 });
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
