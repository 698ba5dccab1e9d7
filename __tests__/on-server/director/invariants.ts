/**
 * The director's invariants, each over any life of an application that a simulated world can have; of a director as it
 * is, or of one with a fault (mutants.test.ts).
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { EXIT } from "../../../release/exit-code";
import { healedServers, recordDigest } from "../../../release/record";
import { otherSlot } from "../../../release/slot";
import * as transitions from "../../../release/transitions";
import { play, rudeScenario, scenario, SCRIPTS } from "./scenario";
import type { Fault } from "./mutants";
import type { Scenario } from "./scenario";
import type { Operator } from "./operator";
import { artifact } from "./simulated-world";
import type { Invariant, StepResult } from "./simulated-world";

type Runs = fc.Parameters<unknown>;
export interface Property {
  readonly name: string;
  check(runs: Runs, fault?: Fault): Promise<void>;
}

/** What has no effect at all. */
const NOTHING = { exitCode: EXIT.refused as number, trafficChanges: 0, saves: 0 };
/** A release that works after every contract migration. */
const working = (version: string) => ({ ...artifact(version), contracts: [...SCRIPTS] });

function always(body: (each: Scenario, pick: number) => Promise<void>, scenarios = scenario) {
  return async (runs: Runs, fault?: Fault): Promise<void> => {
    const lives = fault === undefined ? scenarios : scenarios.map((each) => ({ ...each, fault }));
    await fc.assert(fc.asyncProperty(lives, fc.nat(), body), runs);
  };
}

function never(invariant: Invariant, scenarios: fc.Arbitrary<Scenario>) {
  return always(async (each) => {
    const { world } = await play(each);
    assert.deepEqual(world.violationsOf(invariant), []);
  }, scenarios);
}

function hadNoEffect({ exitCode, trafficChanges, saves }: StepResult): void {
  assert.deepEqual({ exitCode, trafficChanges, saves }, NOTHING);
}

/** What an operator does before anything else where a director said that a person decides. */
async function putRight({ world, record }: Operator): Promise<void> {
  const { stable } = world.state;
  if (stable !== null) world.setUp(stable.slot, true);
  if (stable !== null) world.repair(stable.slot);
  await world.run("abort", record);
}

/** Stable may be down at the end of a life; somebody brings it up, unless a recreate is under way there. */
function bringStableUp({ world }: Operator): void {
  const { stable } = world.state;
  const inPlace = world.environment.schedule.strategy === "recreate";
  if (stable === null || inPlace) return;
  world.repair(stable.slot);
  if (!world.stableAnswers) world.setUp(stable.slot, true);
}

function needsHeal({ world, record }: Operator): string[] {
  return world.unhealed({ ...record, sequence: record.sequence + 1 });
}

export const PROPERTIES: readonly Property[] = [
  {
    name: "I1: weights are from 0 to 100, and while stable is healthy some slot with traffic is",
    check: never("I1", rudeScenario),
  },
  {
    name: "I2: nothing is installed into a slot that has traffic, or requests that still run",
    check: never("I2", scenario),
  },
  {
    name: "I3: a slot gets traffic only after every endpoint was verified to be the recorded artifact",
    check: never("I3", scenario),
  },
  {
    name: "I4: stable changes only after the candidate had all requests for the whole bake",
    check: never("I4", rudeScenario),
  },
  { name: "I5: the slot that traffic returns to was probed before", check: never("I5", rudeScenario) },
  {
    name: "I6: after an abort stable has all requests, a second abort changes nothing, and the sequence is over",
    check: always(async (each) => {
      const { operator, world } = await play(each);
      const { record } = operator;
      const { stable } = world.state;
      const aborted = await world.run("abort", record);
      if (aborted.exitCode === EXIT.frozen) return assert.equal(world.stableIsEverywhere, false);
      assert.equal(aborted.exitCode, EXIT.done);
      assert.deepEqual(world.state.stable, stable);
      if (!world.state.shared) {
        const { live, weight, mode } = world.traffic;
        assert.deepEqual({ live, weight, mode }, { live: stable?.slot ?? null, weight: 0, mode: "serve" });
      }
      const { traffic } = world;
      const { outcome, trafficChanges, saves } = await world.run("abort", record);
      assert.deepEqual(
        { outcome, trafficChanges, saves },
        { outcome: "unchanged", trafficChanges: 0, saves: 0 },
      );
      const late = await world.run("switch", record);
      const { sequence, recordDigest: digest, aborted: isAborted } = world.state;
      if (isAborted && sequence === record.sequence && digest === recordDigest(record)) {
        assert.equal(late.exitCode, EXIT.aborted);
      }
      assert.deepEqual(world.traffic, traffic);
      return assert.deepEqual(world.state.stable, stable);
    }),
  },
  {
    name: "I6: abort wins, whenever it comes: a sequence that was aborted is never promoted",
    check: always(async (each, pick) => {
      const { operator, world } = await play(each);
      bringStableUp(operator);
      world.abortAfterMs = pick % 3_000;
      let applied;
      try {
        applied = await operator.release(working("9.0.0"));
      } catch {
        return; // the record does not allow it
      }
      const wanted = `9.0.0-${applied.record.sequence}`;
      if (applied.result?.exitCode !== EXIT.aborted) return;
      assert.notEqual(world.state.stable?.releaseId, wanted);
      world.abortAfterMs = null;
      await world.run("switch", applied.record);
      assert.notEqual(world.state.stable?.releaseId, wanted);
    }),
  },
  { name: "I6: nothing is promoted after somebody asked for an abort", check: never("I6", scenario) },
  {
    name: "I6: an artifact that was aborted under traffic is refused until somebody says retry",
    check: always(async (each) => {
      const { operator, world } = await play(each);
      const { candidate } = world.state;
      if (candidate === null || world.traffic.weight === 0 || world.state.shared) return;
      if ((await world.run("abort", operator.record)).exitCode !== EXIT.done) return;
      const version = candidate.releaseId.replace(/-\d+$/, "");
      const same = { ...artifact(version), contracts: [...(world.contracts.get(version) ?? [])] };
      const again = await operator.release(same);
      assert.equal(again.step, "begin");
      hadNoEffect(again.result!);
      assert.match(again.result!.reason, /failed before/);
      assert.notEqual((await operator.release(same, { retry: true })).step, "begin");
    }),
  },
  {
    name: "I7: a proxy that somebody changed stops the next sequence before any effect, and abort puts it right",
    check: always(async (each, pick) => {
      const { operator, world } = await play(each);
      const { traffic } = world.state;
      const own = [traffic.intended.offset, traffic.before.offset];
      const offset = [pick % 100, (pick + 1) % 100, (pick + 2) % 100].find((one) => !own.includes(one))!;
      const live = (["blue", "green", null] as const)[pick % 3]!;
      const mode = (["serve", "hold", "page"] as const)[(pick >> 2) % 3]!;
      const byHand = { live, weight: pick % 101, mode, fallback: pick % 2 === 0, offset };
      world.traffic = byHand;
      const before = world.state;
      fc.pre(world.unhealed(operator.record).length === 0 && healedServers(operator.record).length === 0);
      const { step, result } = await operator.release(working("9.0.0"));
      assert.equal(step, "begin");
      hadNoEffect(result!);
      assert.equal(world.traffic, byHand);
      assert.equal(world.state, before);
      await putRight(operator);
      // Where stable's servers wait for a heal, or a recreate was not finished, a person has more to do.
      const waiting = [...world.excluded.blue, ...world.excluded.green];
      if (world.state.stable !== null && (!world.stableIsEverywhere || waiting.length > 0)) return;
      const { result: last } = await operator.release(working("9.1.0"));
      assert.equal(last?.exitCode, EXIT.done, last?.reason);
    }),
  },
  {
    name: "I7: a live release that somebody replaced by hand stops the next sequence before any effect",
    check: always(async (each) => {
      const { operator, world } = await play(each);
      const { stable } = world.state;
      fc.pre(stable !== null && world.traffic.mode === "serve" && needsHeal(operator).length === 0);
      fc.pre(healedServers(operator.record).length === 0);
      bringStableUp(operator);
      world.replaceByHand(stable!.slot, "0.0.1-hotfix");
      const { step, result } = await operator.release(working("9.0.0"));
      assert.equal(step, "begin");
      hadNoEffect(result!);
    }),
  },
  {
    name: "I8: after a crash at any effect the next sequence begins, whichever the operator chooses",
    check: always(async (each, pick) => {
      const { operator } = await play(each);
      const chosen = (["retry", "cancel", "release"] as const)[pick % 3]!;
      bringStableUp(operator);
      try {
        const applied = await (chosen === "release"
          ? operator.release(working("9.0.0"))
          : operator[chosen]());
        assert.notEqual(applied.step, "begin", applied.result?.reason);
      } catch (error) {
        if ((error as Error).name !== "Refusal") throw error;
      }
    }),
  },
  {
    name: "I8: after a crash at any effect a release that works goes live",
    check: always(async (each) => {
      const { operator, world } = await play(each);
      bringStableUp(operator);
      const unhealed = needsHeal(operator);
      if (unhealed.length > 0) await operator.heal(unhealed);
      if (needsHeal(operator).length > 0) return;
      bringStableUp(operator);
      const { record, result } = await operator.release(working("9.0.0"));
      assert.equal(result?.exitCode, EXIT.done, result?.reason);
      assert.equal(operator.reaches(record), true);
      assert.equal(world.state.stable?.releaseId, `9.0.0-${record.sequence}`);
    }),
  },
  {
    name: "I8: deadlines are absolute: a crash while a weight lasts does not prolong it",
    check: always(async (each, pick) => {
      const { operator, world } = await play(each);
      fc.pre(world.environment.schedule.strategy !== "recreate" && needsHeal(operator).length === 0);
      bringStableUp(operator);
      world.requestsPerMs = 0.4;
      world.crash = { phase: pick % 2 === 0 ? "shifting" : "baking", point: "sleep", when: "after" };
      const { record, result } = await operator.release(working("9.0.0"));
      world.crash = null;
      fc.pre(result?.exitCode === "crashed" && world.state.deadline !== null);
      const { deadline, weight } = world.state;
      world.history.length = 0;
      const [from, events] = [world.now, world.events.length];
      const again = await world.run("switch", record);
      if (again.exitCode !== EXIT.done) return;
      const told = world.history.findIndex((moment) => moment.weight !== weight);
      const passed = world.events
        .slice(events)
        .find(({ event, facts }) => event === "analysis" && facts["verdict"] === "pass");
      assert.ok(told >= 0 && passed !== undefined);
      // It is over when its time is, but for the answers that a judgement still needs.
      assert.ok(
        world.firstPassAt! - Math.max(deadline!, from) <= 1_000,
        `${world.firstPassAt! - deadline!} ms late`,
      );
    }),
  },
  {
    name: "I9: no data is never success: whoever becomes stable gave the answers that a judgement needs",
    check: never("I9", rudeScenario),
  },
  {
    name: "I10: a contract migration waits until nobody who can get traffic needs the old schema",
    check: never("I10", scenario),
  },
  {
    name: "I11: a sequence succeeds if and only if users get what its goal asks for",
    check: always(async (each) => {
      await play(each, async ({ step, result, record }, operator) => {
        if (step === "none" || step === "begin" || result === null) return;
        // Terraform starts a step that was killed again.
        const isAgain = result.exitCode === "crashed";
        if (isAgain && (step !== "switch" || record.converge === true)) return;
        const ended = isAgain ? await operator.world.run("switch", record) : result;
        assert.equal(operator.reaches(record), ended.exitCode === EXIT.done, ended.reason);
      });
    }, rudeScenario),
  },
  {
    name: "I11: whoever is told to work is the one that is live, where a sequence ended well",
    check: always(async (each) => {
      await play(each, ({ step, result, record }, { world }) => {
        if (!each.site.activates || record.goal !== "live" || result?.exitCode !== EXIT.done) return;
        if (step !== "switch") return;
        assert.equal(world.state.active, world.state.stable?.slot ?? null);
      });
    }),
  },
  {
    name: "I12: no step of an earlier sequence has any effect",
    check: always(async (each, pick) => {
      const { world, records } = await play(each);
      const earlier = records.filter(({ sequence }) => sequence < world.state.sequence);
      fc.pre(earlier.length > 0);
      const { state, traffic } = world;
      const step = (["begin", "switch", "share"] as const)[pick % 3]!;
      hadNoEffect(await world.run(step, earlier[pick % earlier.length]!));
      assert.equal(world.state, state);
      assert.equal(world.traffic, traffic);
    }, rudeScenario),
  },
  {
    name: "I12: a record with the number of a known one and other content has no effect",
    check: always(async (each, pick) => {
      const { world, records } = await play(each);
      const known = records.find(({ sequence }) => sequence === world.state.sequence);
      fc.pre(known !== undefined && world.state.recordDigest !== "");
      const { state, traffic } = world;
      const step = (["begin", "switch", "share"] as const)[pick % 3]!;
      hadNoEffect(await world.run(step, { ...known!, active: otherSlot(known!.active) }));
      assert.equal(world.state, state);
      assert.equal(world.traffic, traffic);
    }, rudeScenario),
  },
  {
    name: "I12: of two directors at once, one has no effect",
    check: always(async (each, pick) => {
      const { operator, world, records } = await play(each);
      fc.pre(records.length > 0 && needsHeal(operator).length === 0);
      const intent = { environmentSchedule: world.environment.schedule };
      let next;
      try {
        next = transitions.release(operator.record, working("9.0.0"), world.observed, intent);
      } catch {
        return; // the record does not allow it
      }
      const other = records[pick % records.length]!;
      const step = (["begin", "switch", "share"] as const)[pick % 3]!;
      const ended = await Promise.all([world.run("begin", next), world.run(step, other)]);
      assert.ok(ended.some(({ exitCode, saves }) => exitCode === EXIT.refused && saves === 0));
      assert.equal(world.mostAtOnce, 1);
    }),
  },
  {
    name: "I13: a retained slot is not converged over before its time, and a release into it says that it gives it up",
    check: never("I13", scenario),
  },
];
