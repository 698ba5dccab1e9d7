/** The director's invariants, each over any life of an application that a simulated world can have. */
import * as fc from "fast-check";
import { healedServers } from "../../../release/record";
import { EXIT } from "../../../on-server/director/exit-code";
import { play, rudeScenario, scenario } from "./scenario";
import type { Scenario } from "./scenario";
import type { Operator } from "./operator";
import type { Invariant } from "./simulated-world";

const RUNS = { numRuns: Number(process.env["PROPERTY_RUNS"] ?? 250) };

async function never(invariant: Invariant, scenarios: fc.Arbitrary<Scenario>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(scenarios, async (each) => {
      const { world } = await play(each);
      expect(world.violationsOf(invariant)).toEqual([]);
    }),
    RUNS,
  );
}

/** What an operator does before anything else where a director said that a person decides. */
async function putRight({ world, record }: Operator): Promise<void> {
  const { stable } = world.state;
  if (stable !== null) world.setUp(stable.slot, true);
  await world.run("abort", record);
}

test("I1: weights are from 0 to 100, and while stable is healthy some slot with traffic is", async () => {
  await never("I1", rudeScenario);
});

test("I2: nothing is installed into a slot that has traffic, or requests that still run", async () => {
  await never("I2", scenario);
});

test("I3: a slot gets traffic only after every endpoint was verified to be the recorded artifact", async () => {
  await never("I3", scenario);
});

test("I4: stable changes only after the candidate had all requests for the whole bake", async () => {
  await never("I4", rudeScenario);
});

test("I5: the slot that traffic returns to was probed before", async () => {
  await never("I5", rudeScenario);
});

test("I6: after an abort stable has all requests, a second abort changes nothing, and the sequence is over", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (each) => {
      const { operator, world } = await play(each);
      const { record } = operator;
      const { stable } = world.state;
      const aborted = await world.run("abort", record);
      if (aborted.exitCode === EXIT.frozen) return expect(world.stableIsEverywhere).toBe(false);
      expect(aborted.exitCode).toBe(EXIT.done);
      expect(world.state.stable).toEqual(stable);
      if (!world.state.shared) {
        expect(world.traffic).toMatchObject({ live: stable?.slot ?? null, share: 0, mode: "serve" });
      }
      const { traffic } = world;
      expect(await world.run("abort", record)).toMatchObject({
        outcome: "unchanged",
        trafficChanges: 0,
        saves: 0,
      });
      await world.run("switch", record);
      expect(world.traffic).toEqual(traffic);
      return expect(world.state.stable).toEqual(stable);
    }),
    RUNS,
  );
});

test("I6: an artifact that was aborted under traffic is refused until somebody says retry", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (each) => {
      const { operator, world } = await play(each);
      const { candidate } = world.state;
      if (candidate === null || world.traffic.share === 0 || world.state.shared) return;
      world.countEffects();
      if ((await world.run("abort", operator.record)).exitCode !== EXIT.done) return;
      const version = candidate.releaseId.replace(/-\d+$/, "");
      const again = await operator.release(version);
      expect(again).toMatchObject({ step: "begin", result: { exitCode: EXIT.refused } });
      expect(again.result?.reason).toContain("failed before");
      const retried = await operator.release(version, { retry: true });
      expect(retried.step).not.toBe("begin");
    }),
    RUNS,
  );
});

test("I7: a proxy that somebody changed stops the next sequence before any effect, and abort puts it right", async () => {
  const change = fc.record({
    live: fc.constantFrom("blue" as const, "green" as const, null),
    share: fc.integer({ min: 0, max: 100 }),
    mode: fc.constantFrom("serve" as const, "hold" as const, "page" as const),
    fallback: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(scenario, change, async (each, changed) => {
      const { operator, world } = await play(each);
      const { traffic } = world.state;
      const byHand = { ...changed, offset: (traffic.intended.offset + traffic.before.offset + 1) % 100 };
      fc.pre(byHand.offset !== traffic.intended.offset && byHand.offset !== traffic.before.offset);
      world.traffic = byHand;
      const before = world.state;
      fc.pre(world.unhealed(operator.record).length === 0 && healedServers(operator.record).length === 0);
      const { step, result } = await operator.release("9.0.0");
      expect({ step, ...result }).toMatchObject({
        step: "begin",
        exitCode: EXIT.refused,
        trafficChanges: 0,
        saves: 0,
      });
      expect(world.traffic).toBe(byHand);
      expect(world.state).toBe(before);
      await putRight(operator);
      if (world.state.stable !== null && !world.stableIsEverywhere) return;
      expect(await operator.release("9.1.0")).toMatchObject({ result: { exitCode: EXIT.done } });
    }),
    RUNS,
  );
});

test("I8: after a crash at any effect the next sequence begins, whichever the operator chooses", async () => {
  const choice = fc.constantFrom("retry" as const, "withdraw" as const, "release" as const);
  await fc.assert(
    fc.asyncProperty(scenario, choice, async (each, chosen) => {
      const { operator, world } = await play(each);
      const { stable } = world.state;
      const inPlace = world.environment.schedule.strategy === "recreate";
      if (stable !== null && !world.stableAnswers && !inPlace) world.setUp(stable.slot, true);
      try {
        const applied = await (chosen === "release" ? operator.release("9.0.0") : operator[chosen]());
        expect(applied.step === "begin" && applied.result).toBe(false);
      } catch (error) {
        expect((error as Error).name).toBe("Refusal");
      }
    }),
    RUNS,
  );
});

test("I8: after a crash at any effect a release that works goes live", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (each) => {
      const { operator, world } = await play(each);
      const { stable } = world.state;
      const inPlace = world.environment.schedule.strategy === "recreate";
      if (stable !== null && !world.stableAnswers && !inPlace) world.setUp(stable.slot, true);
      const unhealed = world.unhealed({ ...operator.record, sequence: operator.record.sequence + 1 });
      if (unhealed.length > 0) await operator.heal(unhealed);
      if (world.unhealed({ ...operator.record, sequence: operator.record.sequence + 1 }).length > 0) return;
      const applied = await operator.release("9.0.0");
      expect(applied.result).toMatchObject({ exitCode: EXIT.done });
      expect(operator.reaches(applied.record)).toBe(true);
      expect(world.state.stable?.releaseId).toBe(`9.0.0-${applied.record.sequence}`);
    }),
    RUNS,
  );
});

test("I11: a sequence succeeds if and only if users get what its goal asks for", async () => {
  await fc.assert(
    fc.asyncProperty(rudeScenario, async (each) => {
      await play(each, ({ step, result, record }, operator) => {
        if (step === "none" || step === "begin" || result === null || result.exitCode === "crashed") return;
        expect({ ...result, reached: operator.reaches(record) }).toMatchObject({
          reached: result.exitCode === EXIT.done,
        });
      });
    }),
    RUNS,
  );
});

test("I12: no step of an earlier sequence has any effect", async () => {
  const step = fc.constantFrom("begin" as const, "switch" as const, "share" as const);
  await fc.assert(
    fc.asyncProperty(rudeScenario, step, fc.nat(), async (each, late, pick) => {
      const { world, records } = await play(each);
      const earlier = records.filter(({ sequence }) => sequence < world.state.sequence);
      fc.pre(earlier.length > 0);
      const { state, traffic } = world;
      const result = await world.run(late, earlier[pick % earlier.length]!);
      expect(result).toMatchObject({ exitCode: EXIT.refused, trafficChanges: 0, saves: 0 });
      expect(world.state).toBe(state);
      expect(world.traffic).toBe(traffic);
    }),
    RUNS,
  );
});

test("the simulated lives are rich: every way to end a sequence is among them", async () => {
  const ends = new Set<string>();
  await fc.assert(
    fc.asyncProperty(rudeScenario, async (each) => {
      await play(each, ({ step, result }) => void ends.add(`${step} ${result?.exitCode ?? "failed"}`));
    }),
    { numRuns: 2 * RUNS.numRuns, seed: 7 },
  );
  expect([...ends]).toEqual(
    expect.arrayContaining([
      ...["begin 3", "begin crashed", "install failed"],
      ...["switch 0", "switch 4", "switch 5", "switch 6", "switch crashed"],
      ...["share 0", "share crashed"],
    ]),
  );
});
