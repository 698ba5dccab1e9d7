/** An operator takes one server out of use and returns it, in a simulated world: what is refused, what waits, what a release does. */
import { EXIT } from "../../../../release/exit-code";
import { drainServer, returnServer } from "../../../../on-server/director/steps/drain-server";
import { status } from "../../../../on-server/director/steps/status";
import type { Activity } from "../../../../release/server-drain";
import { Operator } from "../operator";
import { simulatedEnvironment, SimulatedWorld } from "../simulated-world";

const DRAIN = { idleSeconds: 60, atMostSeconds: 600 };

/** 1.1.0 is live in green (web-2, web-4), 1.0.0 is retained in blue (web-1, web-3). */
async function keptWorld(affinity: "server" | "none" = "server") {
  const environment = simulatedEnvironment({ strategy: "blueGreen", bakeSeconds: 1, drainSeconds: 5 });
  const sessions = affinity === "none" ? {} : { sessions: { affinity, withoutCookie: [], drain: DRAIN } };
  const world = new SimulatedWorld({ ...environment, ...sessions });
  const operator = new Operator(world);
  await operator.release("1.0.0");
  await operator.release("1.1.0");
  world.now += 700_000;
  const drain = (server: string, isNow = false) => drainServer(world.director(), server, { isNow });
  const end = (server: string) => returnServer(world.director(), server);
  let activity: Activity = { running: 0, idleSeconds: 0 };
  world.activityOf = (_, server) => (server === "web-2" ? activity : { running: 0, idleSeconds: null });
  const users = (does: Activity) => (activity = does);
  return { world, operator, drain, end, users };
}

test("its clients stay while they are active; at the end it gets no requests", async () => {
  const { world, drain, users } = await keptWorld();
  expect(await drain("web-2")).toMatchObject({
    outcome: "draining",
    drain: { server: "web-2", isOut: false, idleSeconds: 0, secondsLeft: 60, mostSeconds: 600 },
  });
  expect([...world.excluded.green]).toEqual(["web-2"]);
  expect([...world.keeping]).toEqual(["web-2"]);
  world.now += 30_000;
  users({ running: 0, idleSeconds: 20 });
  const again = await drain("web-2");
  const at = new Date(world.now + 40_000).toISOString().replace(/\.\d+Z$/, "Z");
  expect(again).toMatchObject({ outcome: "draining", drain: { secondsLeft: 40, mostSeconds: 570 } });
  expect(again.reason).toContain(
    `web-2 gets no new clients, some are still active there, the last request 20 s ago: it is free at ${at} if none asks again`,
  );
  world.now += 60_000;
  users({ running: 0, idleSeconds: 80 });
  expect(await drain("web-2")).toMatchObject({
    outcome: "draining",
    drain: { secondsLeft: 0 },
    reason:
      "web-2 is idle here, the last request 80 s ago: once it is so on all proxies, --now takes it out of use",
  });
  expect([...world.keeping]).toEqual(["web-2"]);
  expect(await drain("web-2", true)).toMatchObject({
    outcome: "drained",
    reason: "web-2 gets no requests. Restart or patch it; then `bluegreen drain web-2 --end` returns it",
  });
  expect([...world.keeping]).toEqual([]);
  expect([...world.excluded.green]).toEqual(["web-2"]);
  expect(world.violations).toEqual([]);
});

test("a running request counts as active, until the limit", async () => {
  const { world, drain, users } = await keptWorld();
  users({ running: 1, idleSeconds: 500 });
  expect(await drain("web-2")).toMatchObject({ outcome: "draining", drain: { secondsLeft: 600 } });
  world.now += 599_000;
  expect(await drain("web-2")).toMatchObject({ outcome: "draining", drain: { secondsLeft: 1 } });
  world.now += 1_000;
  expect(await drain("web-2")).toMatchObject({ drain: { secondsLeft: 0 } });
});

test("--now ends the sessions", async () => {
  const { world, drain } = await keptWorld();
  await drain("web-2");
  expect(await drain("web-2", true)).toMatchObject({ outcome: "drained" });
  expect([...world.keeping]).toEqual([]);
});

test("without affinity only running requests are waited for, at most for the drain's time", async () => {
  const { world, drain, users } = await keptWorld("none");
  users({ running: 2, idleSeconds: 0 });
  expect(await drain("web-2")).toMatchObject({ outcome: "draining", drain: { secondsLeft: 5 } });
  expect([...world.keeping]).toEqual([]);
  users({ running: 0, idleSeconds: 0 });
  expect(await drain("web-2")).toMatchObject({ drain: { secondsLeft: 0 } });
});

test("a proxy that can't tell what runs is waited for as long as a drain may take", async () => {
  const { world, drain, users } = await keptWorld("none");
  users({ running: null, idleSeconds: null });
  expect(await drain("web-2")).toMatchObject({ outcome: "draining", drain: { secondsLeft: 5 } });
  world.now += 5_000;
  expect(await drain("web-2")).toMatchObject({ drain: { secondsLeft: 0 } });
});

test("one that a heal left out of rotation does not get its clients back", async () => {
  const { world, operator, drain } = await keptWorld();
  world.lose("web-2");
  const record = { ...operator.record, sequence: 3, heals: { "web-2": 3 } };
  await world.run("begin", record);
  expect(await world.run("switch", record)).toMatchObject({ exitCode: EXIT.rejected });
  expect([...world.excluded.green]).toEqual(["web-2"]);
  expect(await drain("web-2")).toMatchObject({ outcome: "draining" });
  expect([...world.keeping]).toEqual([]);
});

test("calling it again changes nothing", async () => {
  const { world, drain } = await keptWorld();
  await drain("web-2");
  const { state } = world;
  await drain("web-2");
  expect(world.state).toBe(state);
});

test("the only server that serves users stays, and so does an unknown one", async () => {
  const { world, drain } = await keptWorld();
  await drain("web-2", true);
  const { state } = world;
  await expect(drain("web-4")).rejects.toMatchObject({ reason: "last-server", exitCode: EXIT.refused });
  await expect(drain("web-9")).rejects.toThrow(
    'there is no server "web-9": there are web-1, web-2, web-3, web-4',
  );
  expect(world.state).toBe(state);
  // No users are in the other slot: both of its servers can go.
  expect(await drain("web-1", true)).toMatchObject({ outcome: "drained" });
  expect(await drain("web-3", true)).toMatchObject({ outcome: "drained" });
});

test("one that is lost does not count as another server", async () => {
  const { world, drain } = await keptWorld();
  world.lose("web-4");
  await expect(drain("web-2")).rejects.toMatchObject({ reason: "last-server" });
});

test("it returns once it answers as its release, and stays out until then", async () => {
  const { world, drain, end } = await keptWorld();
  await drain("web-2", true);
  world.lose("web-2");
  await expect(end("web-2")).rejects.toMatchObject({
    exitCode: EXIT.refused,
    message: expect.stringMatching(/^web-2 does not serve 1\.1\.0-2 in green: .*; it still gets no requests/),
  });
  expect([...world.excluded.green]).toEqual(["web-2"]);
  expect(world.state.drained).toHaveLength(1);

  const well = await keptWorld();
  await well.drain("web-2", true);
  expect(await well.end("web-2")).toMatchObject({ outcome: "returned", reason: "web-2 is in use" });
  expect(well.world.excluded.green.size).toBe(0);
  expect(well.world.state.drained).toEqual([]);
  expect(await well.end("web-2")).toMatchObject({ reason: "web-2 is in use already" });
  expect(well.world.violations).toEqual([]);
});

test("it returns without the release that is kept for a rollback if that does not run", async () => {
  const { world, drain, end } = await keptWorld();
  await drain("web-1", true);
  world.lose("web-1");
  expect((await end("web-1")).reason).toContain(
    "web-1 is in use; without blue, where 1.0.0-1 would be for a rollback",
  );
  expect([...world.excluded.blue]).toEqual(["web-1"]);
});

test("status shows it", async () => {
  const { world, drain, users } = await keptWorld();
  await drain("web-2");
  users({ running: 0, idleSeconds: 10 });
  world.now += 10_000;
  expect((await status(world.director(), { asksAsUser: false })).drained).toEqual([
    { server: "web-2", isOut: false, idleSeconds: 10, secondsLeft: 50, mostSeconds: 590 },
  ]);
});

describe("meanwhile", () => {
  test("a release onto it is refused before anything happens; elsewhere it is possible", async () => {
    const { world, operator, drain } = await keptWorld();
    await drain("web-1", true);
    const { traffic, state } = world;
    const refused = await operator.release("1.2.0");
    expect(refused.result).toMatchObject({ exitCode: EXIT.refused });
    expect(refused.result!.reason).toContain("web-1 was taken out of use by `bluegreen drain`");
    expect(refused.result!.reason).toContain("`bluegreen drain web-1 --end`");
    expect({ traffic: world.traffic, state: world.state }).toEqual({ traffic, state });

    const other = await keptWorld();
    await other.drain("web-2", true);
    other.world.lose("web-2");
    expect((await other.operator.release("1.2.0")).result).toMatchObject({ exitCode: EXIT.done });
    expect(other.world.traffic).toMatchObject({ live: "blue" });
    expect(other.world.violations).toEqual([]);
  });

  test("a rollback to the release that is kept there does not wait for it", async () => {
    const { world, operator, drain, end } = await keptWorld();
    await drain("web-1", true);
    world.lose("web-1");
    const { result } = await operator.rollback();
    expect(result).toMatchObject({ exitCode: EXIT.done, outcome: "promoted" });
    expect(world.traffic).toMatchObject({ live: "blue" });
    expect([...world.excluded.blue]).toEqual(["web-1"]);
    expect(world.state.drained).toHaveLength(1);
    await expect(end("web-1")).rejects.toMatchObject({ exitCode: EXIT.refused });
    expect(world.violations).toEqual([]);
  });

  test("a heal of it ends it", async () => {
    const { world, operator, drain } = await keptWorld();
    await drain("web-2", true);
    world.lose("web-2");
    expect((await operator.heal(["web-2"])).result).toMatchObject({ exitCode: EXIT.done, outcome: "healed" });
    expect(world.excluded.green.size).toBe(0);
    expect(world.state.drained).toEqual([]);
  });

  test("a sequence that is under way is not disturbed", async () => {
    const { world, operator, drain } = await keptWorld();
    const record = { ...operator.record, sequence: 3, heals: { "web-4": 3 } };
    await world.run("begin", record);
    await expect(drain("web-2")).rejects.toThrow("sequence 3 is under way");
  });

  test("a director that is killed midway goes on the next time", async () => {
    const { world, drain } = await keptWorld();
    for (const point of [1, 2, 3]) {
      world.crashOnce = () => (world.state.drained ?? []).length >= Math.min(point, 1);
      await drain("web-2", true).catch(() => undefined);
    }
    expect(await drain("web-2", true)).toMatchObject({ outcome: "drained" });
    expect([...world.excluded.green]).toEqual(["web-2"]);
    expect(world.violations).toEqual([]);
  });
});
