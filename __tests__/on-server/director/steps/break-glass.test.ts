/** What a rollback by hand promises, one case each, in a simulated world. */
import { takenOver, wasInForce } from "../../../../release/break-glass";
import { EXIT } from "../../../../release/exit-code";
import type { Operator } from "../operator";
import { artifact } from "../simulated-world";
import type { SimulatedWorld } from "../simulated-world";
import { CANARY, liveWorld, newWorld } from "./worlds";

const REFUSED = { exitCode: EXIT.refused, trafficChanges: 0, saves: 0 };
const byHand = ({ world, operator }: { world: SimulatedWorld; operator: Operator }) =>
  world.run("rollback", operator.record);

/** 1.1.0 is live in green, 1.0.0 is kept in blue. */
async function promoted(schedule = CANARY) {
  const site = await liveWorld(schedule);
  expect((await site.operator.release("1.1.0")).result?.exitCode).toBe(EXIT.done);
  site.world.history.length = 0;
  return site;
}

describe("users move", () => {
  test("from the live release to the kept one, at once", async () => {
    const site = await promoted();
    const { world } = site;
    const before = world.now;
    expect(await byHand(site)).toMatchObject({
      exitCode: EXIT.done,
      outcome: "rolledBack",
      reason: "all requests go to 1.0.0-1 in blue, not to 1.1.0-2",
      trafficChanges: 1,
    });
    expect(world.traffic).toMatchObject({ live: "blue", weight: 0, mode: "serve", fallback: false });
    expect(world.now - before).toBeLessThan(1_000);
    expect(world.state).toMatchObject({
      sequence: 3,
      finished: true,
      phase: "stable",
      stable: { slot: "blue", releaseId: "1.0.0-1" },
      brokenGlass: {
        reason: "it loses orders",
        from: { slot: "green", releaseId: "1.1.0-2" },
        to: { slot: "blue", releaseId: "1.0.0-1" },
        wasStable: true,
        sequence: 3,
      },
      failedDigests: [{ releaseId: "1.1.0-2", reason: "left by hand: it loses orders" }],
    });
    expect(world.state.journal.map(({ event }) => event)).toEqual(["byHand", "traffic"]);
    expect(world.violations).toEqual([]);
  });

  test("although they were moved past the director before, and the record that takes it over goes through", async () => {
    const site = await promoted();
    const { world, operator } = site;
    world.traffic = { ...world.traffic, live: "blue" };
    expect(await byHand(site)).toMatchObject({ exitCode: EXIT.done, outcome: "rolledBack" });
    const record = takenOver(operator.record, world.state.brokenGlass!, 4);
    const { result } = await operator.apply(record);
    expect({ exitCode: result?.exitCode, reason: result?.reason }).toEqual({
      exitCode: EXIT.done,
      reason: "1.0.0-1 is already live in blue",
    });
    expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
  });

  test.each([
    ["paused at a weight", async ({ operator }) => void (await operator.release("1.1.0", { goal: 50 }))],
    [
      "that a killed director left at a weight",
      async ({ world, operator }) => {
        world.crash = { phase: "shifting", point: "sleep", when: "after" };
        await operator.release("1.1.0");
        world.crash = null;
      },
    ],
  ] satisfies [string, (site: { world: SimulatedWorld; operator: Operator }) => Promise<void>][])(
    "from a candidate %s to stable",
    async (_, arrange) => {
      const site = await liveWorld(CANARY);
      await arrange(site);
      expect(site.world.traffic.weight).toBeGreaterThan(0);
      expect(await byHand(site)).toMatchObject({
        exitCode: EXIT.done,
        reason: "all requests go to 1.0.0-1 in blue, not to 1.1.0-2",
      });
      expect(site.world.traffic).toMatchObject({ live: "blue", weight: 0 });
      expect(site.world.state).toMatchObject({ candidate: null, brokenGlass: { wasStable: false } });
      expect(site.world.violations).toEqual([]);
    },
  );

  test("to the servers that are well; the others are named, and one with another release gets nobody", async () => {
    const site = await promoted();
    site.world.lose("web-1");
    const ended = await byHand(site);
    expect(ended).toMatchObject({
      exitCode: EXIT.done,
      reason: expect.stringMatching(/; not healthy: web-1 .*ECONNREFUSED/),
    });

    const other = await promoted();
    other.world.replaceOn("blue", "web-1", "0.9.0-hotfix");
    expect(await byHand(other)).toMatchObject({
      exitCode: EXIT.done,
      reason: expect.stringContaining("answers as 0.9.0-hotfix"),
    });
    expect([...other.world.excluded.blue]).toEqual(["web-1"]);
  });

  test("before any instance is notified, and even if that fails", async () => {
    const site = await promoted({ ...CANARY });
    site.world.crashOnce = () => site.world.traffic.live === "blue";
    expect((await byHand(site)).exitCode).toBe("crashed");
    expect(site.world.traffic).toMatchObject({ live: "blue", weight: 0 });
  });

  test("nowhere the second time", async () => {
    const site = await promoted();
    await byHand(site);
    const { state } = site.world;
    expect(await byHand(site)).toMatchObject({
      exitCode: EXIT.done,
      outcome: "unchanged",
      trafficChanges: 0,
    });
    expect(site.world.state).toBe(state);
  });
});

describe("nothing changes", () => {
  test.each<[string, () => Promise<{ world: SimulatedWorld; operator: Operator }>, RegExp]>([
    ["if nothing is live", async () => newWorld(), /nothing is live on this proxy/],
    ["after the first release", async () => liveWorld(), /nothing is kept beside it: green is empty/],
    [
      "if the other slot has a candidate that never was live",
      async () => {
        const site = await liveWorld();
        await site.operator.release("1.1.0", { goal: "staged" });
        return site;
      },
      /1\.1\.0-2 in green was not live before it/,
    ],
    [
      "after a convergence",
      async () => {
        const site = newWorld({ ...CANARY, afterPromotion: "converge" });
        await site.operator.release("1.0.0");
        await site.operator.release("1.1.0");
        return site;
      },
      /\w+ serves the same release/,
    ],
    [
      "while a recreate is under way",
      async () => {
        const site = await liveWorld({ strategy: "recreate", drainSeconds: 1 });
        const { record } = site.operator;
        const slots = { blue: { ...artifact("1.2.0"), run: 2 }, green: null };
        await site.world.run("begin", { ...record, sequence: 2, slots, previous: record.slots.blue });
        return site;
      },
      /a recreate of blue is under way/,
    ],
    [
      "if the kept release is down",
      async () => {
        const site = await promoted();
        site.world.setUp("blue", false);
        return site;
      },
      /1\.0\.0-1 in blue is not healthy: web-1 .* all requests still go to green/,
    ],
    [
      "if another release answers in the kept slot",
      async () => {
        const site = await promoted();
        site.world.replaceByHand("blue", "0.9.0-hotfix");
        return site;
      },
      /answers as 0\.9\.0-hotfix/,
    ],
    [
      "if the proxy does not reach the kept release",
      async () => {
        const site = await promoted();
        site.world.proxyReachesEndpoints = false;
        return site;
      },
      /not healthy by the proxy's check/,
    ],
    [
      "if a contract migration removed what the kept release needs",
      async () => {
        const site = await promoted();
        site.world.state = { ...site.world.state, contracted: ["0005-drop.sql"] };
        return site;
      },
      /1\.0\.0-1 in blue needs what 0005-drop\.sql removed/,
    ],
  ])("%s", async (_, arrange, reason) => {
    const site = await arrange();
    const { state, traffic } = site.world;
    expect(await byHand(site)).toMatchObject({ ...REFUSED, reason: expect.stringMatching(reason) });
    expect(site.world.state).toBe(state);
    expect(site.world.traffic).toBe(traffic);
  });
});

describe("afterwards", () => {
  test.each(["begin", "switch", "share"] as const)("%s of every earlier record is refused", async (step) => {
    const site = await promoted();
    await byHand(site);
    const { record } = site.operator;
    for (const sequence of [1, 2, 3]) {
      expect(await site.world.run(step, { ...record, sequence })).toMatchObject({
        ...REFUSED,
        reason: expect.stringMatching(
          /^users were moved by hand at 2023-.* from 1\.1\.0-2 to 1\.0\.0-1 \(it loses orders\): `bluegreen recover` takes it over/,
        ),
      });
    }
    expect(site.world.traffic.live).toBe("blue");
  });

  test("an unfinished sequence can't promote any more: neither where users had left it, nor where none had come", async () => {
    const { world, operator } = await liveWorld(CANARY);
    const { record } = await operator.release("1.1.0", { goal: "staged" });
    const live = { ...record, sequence: 3, goal: "live" as const };
    await world.run("begin", live);
    expect(await world.run("rollback", live)).toMatchObject({ exitCode: EXIT.done, trafficChanges: 0 });
    expect(await world.run("switch", live)).toMatchObject({ ...REFUSED });
    expect(world.state.failedDigests).toEqual([]);
  });

  test("abort has nothing to do, and does not undo it", async () => {
    const site = await promoted();
    await byHand(site);
    expect(await site.world.run("abort", site.operator.record)).toMatchObject({
      outcome: "unchanged",
      trafficChanges: 0,
    });
    expect(site.world.state.brokenGlass).not.toBeNull();
  });

  test("the record that takes it over installs nothing and moves nobody; then releases and rollbacks go on", async () => {
    const site = await promoted();
    const { world, operator } = site;
    await byHand(site);
    const broken = world.state.brokenGlass!;
    expect(wasInForce(operator.record, broken)).toBe(true);
    const record = takenOver(operator.record, broken, broken.sequence + 1);
    expect(record).toMatchObject({
      sequence: 4,
      active: "blue",
      goal: "live",
      previous: { version: "1.1.0", run: 2 },
    });
    world.history.length = 0;
    const applied = await operator.apply(record);
    expect(applied.result).toMatchObject({ exitCode: EXIT.done, outcome: "unchanged" });
    expect(world.history).toEqual([]);
    expect(world.runs("web-1")).toEqual(["1.0.0-1"]);
    expect(world.state.brokenGlass).toBeNull();
    expect((await operator.rollback()).result).toMatchObject({ exitCode: EXIT.done });
    expect(world.state.stable?.releaseId).toBe("1.1.0-2");
    expect((await operator.release("1.2.0")).result).toMatchObject({ exitCode: EXIT.done });
    expect(world.violations).toEqual([]);
  });

  test("a proxy that was not moved catches up with the record that takes it over", async () => {
    const [moved, away] = [await promoted(), await promoted()];
    await byHand(moved);
    const broken = moved.world.state.brokenGlass!;
    const record = takenOver(away.operator.record, broken, 4, ["proxy-1"]);
    expect(record).toMatchObject({ leftOut: ["proxy-1"], follows: 3 });
    const { leftOut: _, ...next } = record;
    expect((await away.operator.apply(next)).result).toMatchObject({
      ...REFUSED,
      reason: expect.stringMatching(/old state/),
    });
    const catchUp = { proxies: ["proxy-1"], release: broken.to.releaseId };
    const { result } = await away.operator.apply({ ...next, catchUp });
    expect(result).toMatchObject({ exitCode: EXIT.done });
    expect(away.world.history.map(({ live, weight }) => [live, weight])).toEqual([["blue", 0]]);
  });

  test("the release that users left is refused until a record has retry", async () => {
    const site = await promoted();
    const { world, operator } = site;
    await byHand(site);
    operator.record = takenOver(operator.record, world.state.brokenGlass!, 4);
    const again = await operator.release("1.1.0");
    expect(again).toMatchObject({
      step: "begin",
      result: { exitCode: EXIT.refused, reason: expect.stringContaining("left by hand") },
    });
  });
});
