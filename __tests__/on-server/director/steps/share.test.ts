/** What share promises, one case each, in a simulated world. */
import { EXIT } from "../../../../release/exit-code";
import type { ScheduleChoice } from "../../../../release/schedule";
import { liveWorld } from "./worlds";

describe("share", () => {
  const schedule: ScheduleChoice = { strategy: "blueGreen", bakeSeconds: 1, afterPromotion: "converge" };

  test("gives half of the requests to the second half, and either half stands in for the other", async () => {
    const { world, operator } = await liveWorld();
    const { step, result } = await operator.release("1.1.0", { schedule });
    expect({ step, ...result }).toMatchObject({ step: "share", outcome: "shared" });
    expect(world.traffic).toMatchObject({ live: "green", weight: 50, fallback: true });
    expect(world.state).toMatchObject({ shared: true, finished: true });
  });

  test("waits for the old release's requests before its servers get the new one, even after a crash", async () => {
    const { world, operator } = await liveWorld();
    world.crashOnce = () => world.state.stable?.releaseId === "1.1.0-2" && world.traffic.weight === 0;
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
