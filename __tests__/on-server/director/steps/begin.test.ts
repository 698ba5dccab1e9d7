/** What begin promises, one case each, in a simulated world. */
import { EXIT } from "../../../../release/exit-code";
import { artifact } from "../simulated-world";
import { CANARY, liveWorld, newWorld } from "./worlds";

describe("begin", () => {
  test("goes on where the other slot is live with its recorded release", async () => {
    const { world, operator } = await liveWorld();
    const { record } = operator;
    const applied = await operator.release("1.1.0");
    expect(applied.result).toMatchObject({ exitCode: EXIT.done, outcome: "promoted" });
    expect(record.active).toBe("blue");
    expect(world.traffic).toMatchObject({ live: "green", weight: 0, mode: "serve" });
    expect(world.state.stable?.releaseId).toBe("1.1.0-2");
  });

  test("keeps the record that its step brought, whatever becomes of it", async () => {
    const { world, operator } = await liveWorld();
    expect(world.state.record).toEqual(operator.record);
    await operator.release("1.1.0", { installFails: true });
    expect(world.state).toMatchObject({ sequence: 2, record: operator.record });
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
      { live: "blue", weight: 0, offset: expect.any(Number), mode: "serve", fallback: false },
    ]);
  });

  test.each([
    ["hold", "hold"],
    ["maintenancePage", "page"],
  ] as const)("holds a recreated slot with %s until its new release is verified", async (whileDown, mode) => {
    const { world, operator } = await liveWorld({ strategy: "recreate", whileDown, drainSeconds: 1 });
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.done, outcome: "recreated" });
    expect(world.history.map((moment) => `${moment.live} ${moment.mode}`)).toEqual([
      `blue ${mode}`,
      "blue serve",
    ]);
    expect(world.state.stable).toMatchObject({ slot: "blue", releaseId: "1.1.0-2" });
  });

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
      "record 3 does not match what users get: it has 1.2.0-3 in blue and 1.0.9-1 in green, with blue active; " +
        "the proxy has 1.1.0-2 live in green. Pull if this checkout is old; else `bluegreen recover` writes a record that matches",
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

  test("refuses a first release that shall stop at a weight", async () => {
    const { world, operator } = newWorld();
    const { record } = await operator.release("1.0.0", { goal: "staged" });
    const { exitCode, reason } = await world.run("begin", { ...record, sequence: 2, goal: 25 });
    expect(exitCode).toBe(EXIT.refused);
    expect(reason).toContain("can't be paused at 25 %");
  });

  test("refuses where the live slot answers as another release", async () => {
    const { world, operator } = await liveWorld();
    world.replaceByHand("blue", "1.0.1-hotfix");
    const { result } = await operator.release("1.1.0");
    expect(result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0, saves: 0 });
    expect(result?.reason).toBe(
      "blue answers as 1.0.1-hotfix, not as 1.0.0-1, which is stable: it was changed by hand. " +
        "Restore 1.0.0-1 there, or `bluegreen heal` its servers",
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
    expect(result?.reason).toMatch(
      /return the candidate's requests to 1\.0\.0-1 in blue, which is not healthy: web-1 .*: ECONNREFUSED\. Repair blue first$/,
    );
    expect(world.traffic.weight).toBe(50);
  });

  test("takes the held candidate's traffic away before the next release is installed over it", async () => {
    const { world, operator } = await liveWorld();
    await operator.release("1.1.0", { goal: 50 });
    await operator.release("1.2.0", { goal: "staged" });
    expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
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
    expect(result?.reason).toContain("a different artifact needs a new run");
    expect(world.traffic.weight).toBe(25);
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
      expect(reason).toContain(
        "record 1 is older than 2, which this proxy already has; use `bluegreen rollback`",
      );
    }
  });

  test("refuses a finished sequence and names the next one", async () => {
    const { world, operator } = await liveWorld();
    const { exitCode, reason } = await world.run("begin", operator.record);
    expect(exitCode).toBe(EXIT.refused);
    expect(reason).toContain("the next change needs sequence 2");
  });

  test("refuses a known sequence with other content", async () => {
    const { world, operator } = await liveWorld();
    const { exitCode, reason } = await world.run("begin", { ...operator.record, goal: "staged" });
    expect(exitCode).toBe(EXIT.refused);
    expect(reason).toContain("record 1 is already known with different content");
  });

  test("refuses a switch that was not begun", async () => {
    const { world, operator } = await liveWorld();
    const { exitCode, reason, saves } = await world.run("switch", { ...operator.record, sequence: 2 });
    expect({ exitCode, saves }).toEqual({ exitCode: EXIT.refused, saves: 0 });
    expect(reason).toContain("record 2 has not begun on this proxy (it is at 1)");
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
